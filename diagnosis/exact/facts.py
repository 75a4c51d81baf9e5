"""What arithmetic has decided about a stretch of rows, for the diagnosis to go by.

A frozen model cannot collapse by itself: its weights do not change. Where its graph still gives
what it gave in the reference, and where the logged answers are what the graph says of the logged
inputs, strange outputs mean strange inputs, and the model is not accused.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Exact:
    """Each is None where nobody could tell.

    Attributes
    ----------
    answers
        Whether the answers are those of this version.
    history
        Whether the windows are made of the steps that the stream has shown.
    intact
        Whether the graph still says of the reference's inputs what the reference has.
    """

    answers: bool | None = None
    history: bool | None = None
    intact: bool | None = None

    @property
    def cleared(self) -> bool:
        """Whether the model cannot be at fault."""
        return self.answers is True and self.intact is True
