"""Augmentation: random changes to images that depend only on (seed, epoch, position)."""
