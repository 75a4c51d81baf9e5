"""The page a run leaves: one file, no script, nothing from elsewhere."""

from plumbline.training.report.page import render_report

__all__ = ["render_report"]
