"""What evidence is called."""

from __future__ import annotations

from plumbline.bundle.verdict import Side, Verdict
from plumbline.diagnosis.evidence import Evidence, by_name


def seen(detector: str, output: str = "") -> Evidence:
    """Return the state of a detector."""
    accuses = Side.MODEL if output else Verdict.FROZEN_FEED
    return Evidence(detector, accuses, 1.0, 10.0, False, 0, 1, output=output)


def test_an_output_is_named_where_there_are_several() -> None:
    """One horizon needs no name on a page; of two it is said which is dying."""
    alone = [seen("frozen"), seen("gain", "h1"), seen("spread", "h1")]

    assert list(by_name(alone)) == ["frozen", "gain", "spread"]
    assert list(by_name([*alone, seen("gain", "h6")])) == [
        "frozen",
        "gain h1",
        "spread h1",
        "gain h6",
    ]
