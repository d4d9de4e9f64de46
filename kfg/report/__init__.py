"""Run folder -> report: report.html, report.json, predictions.csv and pictures; and the comparison of arms."""

from kfg.report.arms import write_arms
from kfg.report.run import REPORT_FILE, write

__all__ = ["REPORT_FILE", "write", "write_arms"]
