"""Serializable Keras layers, one per file."""
