"""Predictions, confusion matrices and metrics with intervals."""
