"""The run folder: the names of its files, and a finished run opened again."""
