"""The watch over the version in shadow: the same judge, and whether it agrees with the champion."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from plumbline.monitoring.settings import MonitoringSettings
from plumbline.monitoring.watching.judgement import Judgement
from plumbline.monitoring.watching.observer import Observation, Observer
from plumbline.monitoring.watching.shadow_agreement import ShadowAgreement
from plumbline.store.objects import Objects
from plumbline.store.pointer import Generation
from plumbline.store.prediction import SHADOWS
from plumbline.store.registry import CHALLENGER, AliasTarget


@dataclass(frozen=True)
class ShadowState:
    """What is known of a challenger.

    Attributes
    ----------
    challenger
        Which version, since when, put there by whom.
    judgement
        What is said of it.
    fault
        Why it cannot be watched, if its bundle cannot be opened.
    silent
        Requests it had no finite answer to.
    pairs, agreement, distance
        Requests that the champion and it have answered, the share in which they do the same, and
        the mean difference of their positions; None without pairs.
    """

    challenger: Generation[AliasTarget]
    judgement: Judgement
    fault: str | None = None
    silent: int = 0
    pairs: int = 0
    agreement: float | None = None
    distance: float | None = None

    @property
    def version(self) -> str:
        """The version in shadow."""
        return self.challenger.value.version

    @property
    def rows(self) -> int:
        """How many of its answers were judged."""
        return self.judgement.rows


class ShadowObserver:
    """Watches whatever version is in shadow, from when it was put there.

    Parameters
    ----------
    objects, settings, clock
        As of an `Observer`.
    """

    def __init__(
        self, objects: Objects, settings: MonitoringSettings, *, clock: Callable[[], datetime]
    ) -> None:
        self._observer = Observer(objects, settings, clock=clock, alias=CHALLENGER, table=SHADOWS)
        self._generation = 0
        self._agreement = ShadowAgreement()
        self._silent = 0

    def step(self, champion: Observation) -> ShadowState | None:
        """Look at the store; returns None while nobody is in shadow.

        Parameters
        ----------
        champion
            What this round has seen of it.
        """
        seen = self._observer.step()
        if seen is None:
            self._generation = 0
            return None
        if seen.champion.number != self._generation:
            self._generation = seen.champion.number
            self._agreement, self._silent = ShadowAgreement(), 0
        self._agreement.add(champion.new, seen.new)
        self._silent += seen.silent
        return ShadowState(
            challenger=seen.champion,
            judgement=seen.judgement,
            fault=seen.fault,
            silent=self._silent,
            pairs=self._agreement.pairs,
            agreement=self._agreement.ratio,
            distance=self._agreement.distance,
        )
