"""The session: how many bars a day of a market usually has, found in its bars."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from plumbline.training.bars import MICROSECOND, Bars

_DAY = 86_400 * MICROSECOND


def session_bars(bars: Sequence[Bars]) -> int:
    """Return the median number of bars of a day (UTC) that has any.

    24 for currencies by the hour, whose Sunday evenings and holidays do not move a median, and for
    coins, which never close; 7 for shares by the hour, 391 for their minutes; 1 for daily bars.

    Parameters
    ----------
    bars
        Of every symbol; a moment counts once, so that a symbol that trades rarely hides nothing.
    """
    moments = np.unique(np.concatenate([one.time for one in bars]))
    _, counts = np.unique(moments // _DAY, return_counts=True)
    return max(int(np.median(counts)), 1)
