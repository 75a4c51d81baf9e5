"""Kinds written after the detectors were read: the project's list, and what tries their limits."""

from __future__ import annotations

from benchmarks.truth.kind import Kinds

kind = Kinds(blind=False)
