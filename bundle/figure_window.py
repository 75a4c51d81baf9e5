"""How far back the figures made of live answers look: sixty bars at least, whatever a bar is.

Said once, for the rules that make the figures and for the reference they are held against: a band
of shorter stretches would be wider than anything the figure can show.
"""

from __future__ import annotations

FITTING = {
    "1h": (3_600, 60),
    "6h": (21_600, 300),
    "1d": (86_400, 900),
    "7d": (604_800, 3_600),
    "30d": (2_592_000, 14_400),
    "90d": (7_776_000, None),
}
"""The windows in seconds, and the longest bar interval that each fits; the last fits any."""


def fitting_seconds(interval_seconds: int) -> int:
    """Return the length of the window that fits the bars of a model."""
    return next(
        seconds
        for seconds, longest in FITTING.values()
        if longest is None or interval_seconds <= longest
    )
