"""The run folder: what its files are called, and a finished run opened again."""
