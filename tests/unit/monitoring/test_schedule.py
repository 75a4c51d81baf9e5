"""When the watcher looks, and when it believes that a drift is over."""

from __future__ import annotations

from plumbline.bundle.finding import Verdict
from plumbline.monitoring.watching.schedule import DRIFT_LOOKS, Looks


def verdicts(seen: list[Verdict]) -> list[Verdict]:
    """Return the verdict after each look, as the watcher keeps it."""
    looks, kept, said = Looks(), Verdict.HEALTHY, []
    for now in seen:
        if not looks.drift_lingers(kept, now):
            kept = now
        said.append(kept)
    return said


def test_a_drift_near_its_threshold_does_not_alternate():
    """Seen at every other look it lasts, instead of beginning and ending each time."""
    assert verdicts([Verdict.DRIFT, Verdict.HEALTHY] * 20) == [Verdict.DRIFT] * 40


def test_a_drift_is_over_after_looks_enough_without_one():
    """Each of them well, whichever way; one that sees it begins the count again."""
    quiet = [Verdict.HEALTHY] * (DRIFT_LOOKS - 1)
    said = verdicts([Verdict.DRIFT, *quiet, Verdict.DRIFT, *quiet, Verdict.REGIME])

    assert said == [Verdict.DRIFT] * (2 * DRIFT_LOOKS) + [Verdict.REGIME]


def test_a_collapse_does_not_wait_for_a_drift_to_end():
    """What is worse is said at once."""
    assert verdicts([Verdict.DRIFT, Verdict.FLAT]) == [Verdict.DRIFT, Verdict.FLAT]
