"""Hot swap: the champion a worker serves, and what is said of it.

A thread reads the champion pointer and the verdict board every half second. A new version is read,
verified, loaded and sent its golden rows there, while requests go on with the old one; then one
reference is assigned. Any fault keeps the old model: it is logged and counted once per generation,
and tried again ever more rarely, since a store that was down may be back.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Protocol

import structlog

from plumbline.bundle.archive import Bundle
from plumbline.bundle.errors import BundleError, IntegrityError
from plumbline.bundle.finding import Verdict
from plumbline.bundle.manifest import MANIFEST
from plumbline.service.predictor import Predictor
from plumbline.store.board import Bulletin, verdict_board
from plumbline.store.errors import StoreError
from plumbline.store.objects import Objects
from plumbline.store.pointer import Generation
from plumbline.store.registry import CHAMPION, AliasTarget, ModelRegistry

_FIRST_WAIT_SECONDS = 1.0
_LONGEST_WAIT_SECONDS = 60.0

log = structlog.get_logger()


@dataclass(frozen=True)
class Serving:
    """What a request takes hold of: one whole predictor, its place in history and its verdict."""

    predictor: Predictor
    generation: int
    verdict: Verdict

    @property
    def sized(self) -> bool:
        """Whether a position size may be suggested now."""
        return self.verdict.facts.sized

    @property
    def sizes(self) -> str:
        """Say whether sizes are suggested, and if not why: the verdict stands before the policy."""
        if not self.sized:
            return f"held back: {self.verdict.value}"
        withheld = self.predictor.manifest.policy.withheld
        return f"withheld: {withheld}" if withheld else "suggested"


class SwapCounter(Protocol):
    """Where the slot reports; `model_metrics.ModelMetrics` is one."""

    def expect_version(self, serving: Serving) -> None:
        """Make every series of a version exist at zero."""

    def count_swap(self, model: str, result: str) -> None:
        """Count one swap, ``accepted`` or ``refused``."""


@dataclass(frozen=True)
class _Refusal:
    """A generation that could not be loaded, and when to look at it again."""

    generation: int
    wait_seconds: float
    retry_at: float


class ModelSlot:
    """One model of one worker.

    Parameters
    ----------
    objects, model
        The store, and whose.
    load
        Makes a bundle answer; raises whatever is wrong with it.
    counter
        Where swaps are counted.
    alias
        Whom to follow. A challenger gets no verdict, and one that is retired is dropped.
    clock
        Seconds that never go back.
    """

    def __init__(
        self,
        objects: Objects,
        model: str,
        *,
        load: Callable[[Bundle], Predictor],
        counter: SwapCounter,
        alias: str = CHAMPION,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.model = model
        self._alias = alias
        self.serving: Serving | None = None
        self.reason = f"the {alias} has not been read yet"
        self._registry = ModelRegistry(objects, model)
        self._board = verdict_board(objects, model)
        self._load = load
        self._counter = counter
        self._clock = clock
        self._refusal: _Refusal | None = None
        self._board_fault = ""

    def poll(self) -> None:
        """Look once at the alias and, of a champion, at the verdict board."""
        self._poll_alias()
        if self._alias == CHAMPION:
            self._poll_verdict()

    def _poll_alias(self) -> None:
        try:
            head = self._registry.alias(self._alias)
        except (StoreError, BundleError) as error:
            self._note(f"the {self._alias} pointer cannot be read: {error}")
            return
        if head is None:
            if self._alias != CHAMPION:
                self.serving = None
            self._note(f"no version has been promoted to {self._alias} yet")
            return
        if self._waits(head.number):
            return
        current = self.serving
        if current is None or current.predictor.version != head.value.version:
            self._swap(head)
        elif current.generation != head.number:
            self.serving = replace(current, generation=head.number)

    def _swap(self, head: Generation[AliasTarget]) -> None:
        try:
            predictor = self._load(self._open(head.value.version))
        except Exception as error:  # noqa: BLE001 -- whatever is wrong with it, the old one stays
            self._refuse(head, error)
            return
        self._refusal = None
        serving = Serving(predictor, head.number, Verdict.INSUFFICIENT_DATA)
        self._counter.expect_version(serving)
        self.serving = serving
        self.reason = ""
        self._counter.count_swap(self.model, "accepted")
        log.info(
            "model_swapped",
            model=self.model,
            alias=self._alias,
            version=predictor.version,
            generation=head.number,
            device=predictor.backend.device,
        )

    def _open(self, version: str) -> Bundle:
        bundle = self._registry.open(version)
        if bundle.manifest.name != self.model:
            raise IntegrityError(f"{MANIFEST}: it is of model {bundle.manifest.name}")
        return bundle

    def _refuse(self, head: Generation[AliasTarget], error: Exception) -> None:
        before = self._refusal
        again = before is not None and before.generation == head.number
        wait = min(before.wait_seconds * 2, _LONGEST_WAIT_SECONDS) if before and again else None
        wait = wait or _FIRST_WAIT_SECONDS
        self._refusal = _Refusal(head.number, wait, self._clock() + wait)
        self._note(f"version {head.value.version} was refused: {error}")
        if not again:
            self._counter.count_swap(self.model, "refused")
            log.error(
                "swap_refused",
                model=self.model,
                alias=self._alias,
                version=head.value.version,
                generation=head.number,
                reason=str(error),
                kept=self.serving.predictor.version if self.serving else None,
            )

    def _waits(self, generation: int) -> bool:
        refusal = self._refusal
        return (
            refusal is not None
            and refusal.generation == generation
            and self._clock() < refusal.retry_at
        )

    def _poll_verdict(self) -> None:
        serving = self.serving
        if serving is None:
            return
        try:
            head = self._board.newest()
        except (StoreError, BundleError) as error:
            if not self._board_fault:
                log.warning("verdict_unreadable", model=self.model, reason=str(error))
            self._board_fault = str(error)
            return
        self._board_fault = ""
        verdict = _verdict_for(serving.predictor.version, head)
        if verdict is not serving.verdict:
            self.serving = replace(serving, verdict=verdict)
            log.info(
                "verdict_changed",
                model=self.model,
                version=serving.predictor.version,
                verdict=verdict.value,
            )

    def _note(self, reason: str) -> None:
        """Remember why nothing is served, for ``/readyz``; a model that serves stays ready."""
        if self.serving is None:
            self.reason = reason


def _verdict_for(version: str, head: Generation[Bulletin] | None) -> Verdict:
    """Return the bulletin's verdict if it is about this version: another's says nothing here."""
    if head is None or head.value.version != version:
        return Verdict.INSUFFICIENT_DATA
    return head.value.diagnosis.verdict


class Poller:
    """The thread in which a worker looks after things beside its requests.

    Parameters
    ----------
    tasks
        Called one after another.
    seconds
        Pause between rounds.
    """

    def __init__(self, tasks: Sequence[Callable[[], None]], seconds: float) -> None:
        self._tasks = tasks
        self._seconds = seconds
        self._stopped = threading.Event()
        self._polled = threading.Event()
        self._thread = threading.Thread(target=self._run, name="poller", daemon=True)

    def start(self, wait_seconds: float) -> None:
        """Start polling, and wait for the first round, but no longer than this."""
        self._thread.start()
        self._polled.wait(wait_seconds)

    def stop(self) -> None:
        """Stop after the round that is running."""
        self._stopped.set()
        self._thread.join()

    def poll(self) -> None:
        """Run one round; a task that fails does not keep the others from running."""
        for task in self._tasks:
            try:
                task()
            except Exception:
                log.exception("poll_failed")

    def _run(self) -> None:
        while not self._stopped.is_set():
            self.poll()
            self._polled.set()
            self._stopped.wait(self._seconds)
