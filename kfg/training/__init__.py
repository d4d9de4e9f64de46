"""Train models: fitting, callbacks, checkpoints, losses, schedules."""
