"""Errors of the drills.

DrillError                  a drill could not be carried out; the message says what was missing
"""

from __future__ import annotations


class DrillError(Exception):
    """A drill could not be carried out."""
