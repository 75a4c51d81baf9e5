"""What a worker remembers of its own answers, for models that are shown what they did before."""

from __future__ import annotations

from collections import OrderedDict, deque
from collections.abc import Sequence

import numpy as np

from plumbline.bundle.spec import InputSpec

SYMBOLS = 4096
STEPS = 1024


_COLUMNS = ("action", "position", "size")


class AnswerMemory:
    """The newest actions, positions and sizes of each symbol; the symbols longest silent go.

    Of several workers each remembers its own answers alone: a client that may meet any of them
    sends such inputs itself.
    """

    def __init__(self) -> None:
        self._past: OrderedDict[str, deque[tuple[str, tuple[float, ...]]]] = OrderedDict()

    def note(
        self, symbol: str, occasion: str, action: int | None, position: float, size: float
    ) -> None:
        """Remember one answer, in the place of an earlier one to the same occasion."""
        past = self._past.setdefault(symbol, deque(maxlen=STEPS))
        self._past.move_to_end(symbol)
        answer = (occasion, (-1.0 if action is None else float(action), position, size))
        place = _place(past, occasion)
        if place is None:
            past.append(answer)
        else:
            past[place] = answer
        if len(self._past) > SYMBOLS:
            self._past.popitem(last=False)

    def recall(self, symbol: str, occasion: str, spec: InputSpec) -> list[list[float]]:
        """Return the newest steps before an occasion, oldest first, zero before the first answer.

        Its columns are called ``action``, ``position`` and ``size``.
        """
        columns = [_COLUMNS.index(name) for name in spec.names]
        table = np.zeros((spec.steps, len(columns)))
        known = list(self._past.get(symbol, ()))
        past = [row for _, row in known[: _place(known, occasion)]][-spec.steps :]
        for step, row in enumerate(past, start=spec.steps - len(past)):
            table[step] = [row[column] for column in columns]
        steps: list[list[float]] = table.tolist()
        return steps


def _place(past: Sequence[tuple[str, tuple[float, ...]]], occasion: str) -> int | None:
    """Return where the answer to an occasion lies, None if there is none; newest are near."""
    for back, (each, _) in enumerate(reversed(past), start=1):
        if each == occasion:
            return len(past) - back
    return None


def unknown_to_memory(spec: InputSpec) -> str | None:
    """Say why an input from the log cannot be filled from here; None where it can."""
    if strange := sorted(set(spec.names) - set(_COLUMNS)):
        return f"input {spec.name}: the log has the columns {list(_COLUMNS)}, not {strange}"
    if spec.steps > STEPS:
        return f"input {spec.name}: {spec.steps} steps, and a worker remembers {STEPS}"
    return None
