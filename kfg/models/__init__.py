"""Keras models of the studies."""
