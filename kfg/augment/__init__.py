"""Augmentation keyed by (seed, epoch, position)."""
