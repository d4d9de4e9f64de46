"""Ship a model: export it, check that the export answers as the model does, and read an export back."""
