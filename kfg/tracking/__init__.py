"""Runs in TensorBoard and in Weights & Biases."""
