"""Evaluate models: predictions, confusion matrices, and metrics with confidence intervals."""
