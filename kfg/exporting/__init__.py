"""What a model is shipped as, the check that it answers as the model does, and the classifier that reads it back."""
