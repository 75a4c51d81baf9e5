"""What the numbers say, in the market's words: what was answered, to what inputs, and what follows.

A verdict is one word. Whoever sees `healthy` beside answers that look nothing like the reference's
must read why that is no contradiction, and what to look at if it is one.
"""

from __future__ import annotations

from collections.abc import Iterator

from plumbline.bundle.finding import Verdict
from plumbline.monitoring.page import sentence
from plumbline.monitoring.page.status import WatchState
from plumbline.monitoring.watching.chart import WINDOW, Band, Shift

_MOVED = 1.0
"""Standard deviations from which on a column is said to have moved."""

_MOST_COLUMNS = 3


def read(watch: WatchState) -> tuple[str, ...]:
    """Return what is seen, one sentence each; none before the first row."""
    if not watch.points:
        return ()
    return tuple(_sentences(watch))


def meaning(watch: WatchState) -> str:
    """Say what the verdict means, what is done about it, and what a person should do."""
    return sentence.meaning(watch.diagnosis, doing(watch), given_up=watch.given_up)


def doing(watch: WatchState) -> str:
    """Say what a person should do; that of the verdict, unless its answers look like a collapse."""
    verdict = watch.diagnosis.verdict
    if not (verdict.facts.well and watch.points and moved(watch)):
        return verdict.facts.doing
    if verdict is Verdict.HEALTHY:
        return (
            "Nothing is repaired, since the answers still follow the inputs. If you know of no "
            "market that explains them, compare the columns below with your feed, or order a "
            "retrain."
        )
    return "Nothing is repaired: look whether you know of such a market."


def moved(watch: WatchState) -> bool:
    """Whether the newest answers are like no stretch of the reference: their shares, or spread."""
    if watch.rows < WINDOW:
        return False
    newest = watch.points[-1]
    if watch.actions:
        bands = zip(newest.shares, watch.share_bands, strict=False)
        return any(not band.holds(share) for share, band in bands)
    band, spread = watch.spread_band, newest.spread
    return band is not None and spread is not None and not band.holds(spread)


def _sentences(watch: WatchState) -> Iterator[str]:
    newest = watch.points[-1]
    rows = min(watch.rows, WINDOW)
    if watch.actions and newest.shares:
        yield _answers(watch, rows)
    # A collapse is younger than the window: its cause says what the spread is, and of which rows.
    settled = watch.diagnosis.verdict.facts.sized
    if settled and newest.spread is not None and watch.reference_spread:
        yield _spread(newest.spread, watch.reference_spread, watch.spread_band)
    yield _inputs(watch)


def _answers(watch: WatchState, rows: int) -> str:
    shares, reference = watch.points[-1].shares, watch.reference_shares
    if watch.share_bands and rows == WINDOW and not moved(watch):
        said = ", ".join(
            f"{name} {share:.0%} ({usual:.0%})"
            for name, share, usual in zip(watch.actions, shares, reference, strict=True)
        )
        return f"The newest {rows} answers are shared out as in the reference: {said}."
    place = max(range(len(shares)), key=lambda i: abs(shares[i] - reference[i]))
    text = f"Of the newest {rows:,} answers {shares[place]:.0%} are {watch.actions[place]}"
    text += f", against {reference[place]:.0%} in the reference"
    if not watch.share_bands:
        return f"{text}."
    band = watch.share_bands[place]
    stretches = f"its stretches of {WINDOW} had {band.low:.0%} to {band.high:.0%}"
    new = "" if band.holds(shares[place]) else ": it has seen nothing like it"
    return f"{text}; {stretches}{new}."


def _spread(spread: float, reference: float, band: Band | None) -> str:
    ratio = spread / reference
    if band is not None and band.holds(spread):
        return f"The answers vary as they did: the spread is {ratio:.0%} of the reference's."
    how = "less" if ratio < 1 else "more"
    return f"The answers vary {how} than they did: the spread is {ratio:.0%} of the reference's."


def _inputs(watch: WatchState) -> str:
    whose = "What clients send" if watch.diagnosis.verdict.facts.of_input else "The market"
    far = [shift for shift in watch.shifts if abs(shift.deviations) >= _MOVED]
    if not far:
        return f"{whose} is where it was: no column is a standard deviation away from its mean."
    said = [_shift(shift) for shift in far[:_MOST_COLUMNS]]
    return f"{whose} has moved: {', '.join(said)}."


def _shift(shift: Shift) -> str:
    side = "above" if shift.deviations > 0 else "below"
    return f"{shift.column} is {abs(shift.deviations):.1f} standard deviations {side} its mean"
