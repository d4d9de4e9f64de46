"""Write the report of a run folder: report.html, report.json, predictions.csv and pictures; and compare arms."""

from kfg.reporting.arms import arms_table, write_arms
from kfg.reporting.run import prepare, write

__all__ = ["arms_table", "prepare", "write", "write_arms"]
