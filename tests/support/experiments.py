"""An experiment that takes seconds, as a file says it."""

from __future__ import annotations

SMALL = """
seed = {seed}
window_length = 8
[data]
source = "{source}"
symbol = "{symbol}"
[label]
kind = "forward_return"
parameters = {{ horizon_seconds = 21_600, threshold = 0.002 }}
[split]
train = 0.4
calibration = 0.2
validation = 0.3
test = 0.1
embargo_seconds = 0
[family]
kind = "tfa"
parameters = {{ width = 8, heads = 2, layers = 1, hidden = 8 }}
[fit]
epochs = 1
threads = 1
"""


def small_experiment(source: str, *, symbol: str = "default", seed: int = 0) -> str:
    """Return the TOML of a small experiment on these bars."""
    return SMALL.format(source=source, symbol=symbol, seed=seed)
