"""Counting what is wrong with bars, and refusing what must not be used. Nothing is repaired."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final, Literal

import numpy as np
from pydantic import Field

from plumbline.bundle.array import BoolArray, FloatArray, IntArray
from plumbline.bundle.record import Record
from plumbline.training.bars import COLUMNS, NO_TIME, PRICES, Bars
from plumbline.training.errors import DataError

Tolerable = Literal["gaps", "zero_volume"]
INTOLERABLE: Final = (
    "nulls",
    "non_positive",
    "unsorted",
    "duplicates",
    "contradictions",
    "spikes",
    "volume_spikes",
)
LARGEST_STEP: Final = 10.0
"""Factor by which a price may move inside a bar or from one bar to the next."""
LARGEST_VOLUME: Final = 50.0
"""Factor by which a volume may exceed what all but one bar in a thousand stay below."""
_FEW: Final = 20
"""Bars with volume that are needed to say what is usual."""
_MANY_TIMES: Final = 1_000.0
"""The same for the median; a volume is a spike beyond both."""


class DataReport(Record):
    """How many bars of one symbol have which defect."""

    symbol: str
    bars: int = Field(description="Read.")
    nulls: int = Field(description="With a time, price or volume that is missing or not finite.")
    non_positive: int = Field(description="With a price of zero or less, or a negative volume.")
    unsorted: int = Field(description="Older than the bar before.")
    duplicates: int = Field(description="With the time of another bar.")
    contradictions: int = Field(description="With a high or low that does not span open and close.")
    spikes: int = Field(description="With a price further from the one before than is allowed.")
    volume_spikes: int = Field(description="With a volume that no other bar comes near.")
    zero_volume: int = Field(description="In which nothing was traded.")
    gaps: int = Field(description="Places where bars are missing; a closed market is one, too.")
    missing: int = Field(description="Bars that would fill those gaps.")
    first: dict[str, str] = Field(
        default_factory=dict, description="Of each defect: where it is first, and what is there."
    )


def check_bars(bars: Bars, *, largest_step: float = LARGEST_STEP) -> DataReport:
    """Count the defects of bars, and say where each is first.

    Parameters
    ----------
    bars
        As read, in the order of the file.
    largest_step
        Factor by which a price may move inside a bar or from one bar to the next.
    """
    longer = _gaps(np.diff(bars.time[bars.time != NO_TIME]))
    masks = {
        **_value_masks(bars),
        **_time_masks(bars),
        "spikes": _spikes(bars, largest_step),
        "volume_spikes": _volume_spikes(bars.volume),
        "zero_volume": bars.volume == 0,
    }
    counts = {defect: int(mask.sum()) for defect, mask in masks.items()}
    return DataReport(
        symbol=bars.symbol,
        bars=len(bars),
        **counts,
        gaps=int((longer > 0).sum()),
        missing=int(longer.sum()),
        first={
            defect: f"{bars.place(int(mask.argmax()))}: {_FOUND[defect](bars, int(mask.argmax()))}"
            for defect, mask in masks.items()
            if counts[defect]
        },
    )


def refuse_defects(
    reports: Sequence[DataReport], *, refuse_also: tuple[Tolerable, ...] = ()
) -> None:
    """Refuse bars that would teach nonsense.

    Raises
    ------
    DataError
        With each defect, its count, and the first row that has it. Those of `INTOLERABLE` are
        always refused; gaps and bars without volume are normal in many markets and refused only if
        asked for.
    """
    found = [
        f"{report.symbol}: {getattr(report, defect)} {defect.replace('_', ' ')}"
        + (f", the first in {report.first[defect]}" if defect in report.first else "")
        for report in reports
        for defect in (*INTOLERABLE, *refuse_also)
        if getattr(report, defect)
    ]
    if found:
        raise DataError(
            f"the bars are refused, since nothing is silently repaired: {'; '.join(found)}. "
            "Correct the file and train again"
        )


def refuse_idle_volume(
    bars: Sequence[Bars], names: Sequence[str], compute: Callable[[Bars], FloatArray]
) -> None:
    """Refuse volume that never changes, if a feature reads it.

    Such a feature never changes either: the model cannot learn from it, and whoever watches the
    service takes a column that stands for a broken client.

    Parameters
    ----------
    bars
        Of every symbol, checked.
    names
        Of the features.
    compute
        Bars to features ``(n, f)``.

    Raises
    ------
    DataError
        Naming the symbol, the volume and the features that read it.
    """
    for one in bars:
        if not len(one) or (one.volume != one.volume[0]).any():
            continue
        moving = np.exp(np.random.default_rng(0).normal(10, 1, len(one)))
        other = Bars(one.symbol, one.time, one.open, one.high, one.low, one.close, moving)
        same = np.isclose(compute(one), compute(other), equal_nan=True)
        readers = [name for column, name in enumerate(names) if not same[:, column].all()]
        if readers:
            raise DataError(
                f"{one.symbol}: the volume is {one.volume[0]:g} in all {len(one)} bars, so that "
                f"the features {', '.join(readers)} would never change: give bars with volume, or "
                "choose a feature set that does not read it"
            )


def _value_masks(bars: Bars) -> dict[str, BoolArray]:
    columns = np.stack([getattr(bars, name) for name in COLUMNS])
    prices = np.stack([getattr(bars, name) for name in PRICES])
    body = np.stack([bars.open, bars.close])
    return {
        "nulls": ~np.isfinite(columns).all(axis=0) | (bars.time == NO_TIME),
        "non_positive": (prices <= 0).any(axis=0) | (bars.volume < 0),
        "contradictions": (bars.high < body.max(axis=0)) | (bars.low > body.min(axis=0)),
    }


def _time_masks(bars: Bars) -> dict[str, BoolArray]:
    known = np.flatnonzero(bars.time != NO_TIME)
    unsorted = np.zeros(len(bars), dtype=bool)
    unsorted[known[1:]] = np.diff(bars.time[known]) < 0
    duplicates = np.ones(len(bars), dtype=bool)
    duplicates[np.unique(bars.time, return_index=True)[1]] = False
    return {"unsorted": unsorted, "duplicates": duplicates}


def _spikes(bars: Bars, largest: float) -> BoolArray:
    """Mark bars whose prices are too far apart, or too far from the close before."""
    before = np.concatenate([bars.open[:1], bars.close[:-1]])
    prices = np.stack([before, bars.open, bars.high, bars.low, bars.close])
    with np.errstate(all="ignore"):  # prices that are no numbers have defects of their own
        spikes: BoolArray = prices.max(axis=0) / prices.min(axis=0) > largest
    return spikes & (prices > 0).all(axis=0)


def _volume_spikes(volume: FloatArray) -> BoolArray:
    """Mark volumes far beyond the largest usual ones; a unit that was mistaken looks like this."""
    traded = np.sort(volume[np.isfinite(volume) & (volume > 0)])
    if len(traded) < _FEW:
        return np.zeros(len(volume), dtype=bool)
    usual = traded[-1 - max(3, len(traded) // 1_000)]
    limit = max(LARGEST_VOLUME * usual, _MANY_TIMES * float(np.median(traded)))
    with np.errstate(invalid="ignore"):
        spikes: BoolArray = volume > limit
    return spikes & np.isfinite(volume)


def _gaps(steps: IntArray) -> IntArray:
    """Return how many bars are missing after each bar, against the most frequent step."""
    forward = steps[steps > 0]
    if not len(forward):
        return np.zeros(0, dtype=np.int64)
    sizes, counts = np.unique(forward, return_counts=True)
    missing: IntArray = np.maximum(forward // sizes[counts.argmax()] - 1, 0)
    return missing


def _null(bars: Bars, bar: int) -> str:
    if bars.time[bar] == NO_TIME:
        return "the time is missing"
    name = next(name for name in COLUMNS if not np.isfinite(getattr(bars, name)[bar]))
    return f"{name} is missing or infinite"


def _non_positive(bars: Bars, bar: int) -> str:
    for name in PRICES:
        if getattr(bars, name)[bar] <= 0:
            return f"{name} is {getattr(bars, name)[bar]:g}, expected a price above 0"
    return f"volume is {bars.volume[bar]:g}, expected 0 or more"


def _unsorted(bars: Bars, bar: int) -> str:
    return f"time is before that of {bars.place(bar - 1)}, expected the oldest bar first"


def _duplicate(bars: Bars, bar: int) -> str:
    return f"time is that of {bars.place(int((bars.time == bars.time[bar]).argmax()))}"


def _contradiction(bars: Bars, bar: int) -> str:
    top, bottom = max(bars.open[bar], bars.close[bar]), min(bars.open[bar], bars.close[bar])
    if bars.high[bar] < top:
        return f"high is {bars.high[bar]:g}, below open or close, {top:g}"
    return f"low is {bars.low[bar]:g}, above open or close, {bottom:g}"


def _spike(bars: Bars, bar: int) -> str:
    before = bars.close[bar - 1] if bar else bars.open[bar]
    away = {name: abs(np.log(getattr(bars, name)[bar] / before)) for name in PRICES}
    name = max(away, key=lambda one: away[one])
    return (
        f"{name} is {getattr(bars, name)[bar]:g} after a price of {before:g}, which is a spike or "
        "a split that was not adjusted; if it was a trade, raise largest_step"
    )


_FOUND: dict[str, Callable[[Bars, int], str]] = {
    "nulls": _null,
    "non_positive": _non_positive,
    "unsorted": _unsorted,
    "duplicates": _duplicate,
    "contradictions": _contradiction,
    "spikes": _spike,
    "volume_spikes": lambda bars, bar: (
        f"volume is {bars.volume[bar]:g}, expected less than {LARGEST_VOLUME:g} times what nearly "
        "all bars have: correct the bar, or its unit"
    ),
    "zero_volume": lambda _bars, _bar: "volume is 0",
}
