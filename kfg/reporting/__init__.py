"""Run folder -> report: report.html, report.json, predictions.csv and pictures; and the comparison of arms."""

from kfg.reporting.arms import arms_table, write_arms
from kfg.reporting.run import prepare, write

__all__ = ["arms_table", "prepare", "write", "write_arms"]
