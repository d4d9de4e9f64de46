"""Log runs to TensorBoard and to Weights & Biases."""
