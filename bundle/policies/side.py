"""What choices are called, and which side of a market a name bets on.

The only place that knows such names; a label or a stranger's model may have others and say their
positions.
"""

from __future__ import annotations

THREE = ("SELL", "HOLD", "BUY")
"""Of a label with a band in the middle."""

SIDES = {
    **dict.fromkeys(("sell", "short", "down", "fall", "bear", "bearish"), -1),
    **dict.fromkeys(("hold", "flat", "neutral", "stay", "wait"), 0),
    **dict.fromkeys(("buy", "long", "up", "rise", "bull", "bullish"), 1),
}
"""Words that say a side, in small letters: -1 below, 0 out of the market, 1 above."""
