"""What a worker remembers of its own answers, for models that are shown what they did before."""

from __future__ import annotations

from collections import OrderedDict, deque

import numpy as np

from plumbline.bundle.spec import InputSpec

SYMBOLS = 4096
STEPS = 1024


class Memory:
    """The newest actions, positions and sizes of each symbol; the symbols longest silent go.

    Of several workers each remembers its own answers alone: a client that may meet any of them
    sends such inputs itself.
    """

    def __init__(self) -> None:
        self._past: OrderedDict[str, deque[tuple[float, float, float]]] = OrderedDict()

    def note(self, symbol: str, action: int | None, position: float, size: float) -> None:
        """Remember one answer."""
        past = self._past.setdefault(symbol, deque(maxlen=STEPS))
        self._past.move_to_end(symbol)
        past.append((-1.0 if action is None else float(action), position, size))
        if len(self._past) > SYMBOLS:
            self._past.popitem(last=False)

    def recall(self, symbol: str, spec: InputSpec) -> list[list[float]]:
        """Return the newest steps of an input from the log, zero before the first answer.

        Its columns are called ``action``, ``position`` and ``size``.

        Raises
        ------
        ValueError
            If it has another column: the log of answers holds no such thing.
        """
        known = {"action": 0, "position": 1, "size": 2}
        if strange := sorted(set(spec.names) - set(known)):
            raise ValueError(f"input {spec.name}: the log has {sorted(known)}, not {strange}")
        table = np.zeros((spec.steps, len(spec.names)))
        past = list(self._past.get(symbol, ()))[-spec.steps :]
        for step, row in enumerate(past, start=spec.steps - len(past)):
            table[step] = [row[known[name]] for name in spec.names]
        steps: list[list[float]] = table.tolist()
        return steps
