"""The exact checks of one version's stream, put together: what they say, and at which row.

Arithmetic goes first. Windows are made again from the log (`history.py`), what they should have
been answered is computed (`replay.py`), and what differs is somebody's fault whatever it looks
like. What does not differ clears the model.
"""

from __future__ import annotations

from collections.abc import Collection

import numpy as np

from plumbline.bundle.archive import Bundle
from plumbline.bundle.verdict import Verdict
from plumbline.diagnosis.exact.facts import Exact
from plumbline.diagnosis.sample import Context
from plumbline.monitoring.watching.audit.history import History
from plumbline.monitoring.watching.audit.word import Word
from plumbline.store.prediction import PredictionBatch

ENOUGH = 8
"""Right replays of the newest rows before their answers are said to be the version's."""

NEWEST = 100
"""Rows of a symbol that those may be among."""

_MOST_ASKED = 20


class Auditor:
    """Checks what arithmetic can check of a version's rows.

    Parameters
    ----------
    bundle, context
        The version, and what its rows are held against.
    """

    def __init__(self, bundle: Bundle, context: Context) -> None:
        self._bundle = bundle
        self._context = context
        self._history = History(bundle.manifest, bundle.reference)
        self._artefact = False
        self._seen: dict[str, None] = {}

    def take(self, batch: PredictionBatch) -> list[Word]:
        """Check rows, oldest in the log first, retries left out; cross-sections whole."""
        rebuilt = self._history.take(batch)
        words = []
        return sorted(words, key=lambda word: word.place)

    def exact(self, symbols: Collection[str] = ()) -> Exact:
        """Say what is known of the newest rows of some symbols, or of all."""
        return Exact(answers=None, windows=None, intact=None)

    def accept(self) -> None:
        """Take the inputs as they are now for right."""
        self._history.accept()
