"""Shadow: a challenger answers a share of live requests after the champion has, and nobody sees it.

::

    request ─► champion ─► log ─► answer ─► client
                                    │ sent
                                    └─► queue ─► thread: challenger ─► spool, table `shadows`

A request must never wait for this, nor fail by it. So what is asked here is asked after the answer
has left; the queue is short, and what finds it full is dropped and counted; the thread rests nine
times as long as it computes, so that it takes a tenth of one core at most; and what cannot be
logged is dropped as well. Without a challenger the request path has one question to answer: is
there one?

A challenger that has no finite answer, or breaks, leaves rows whose numbers are not finite: the
monitor counts them.
"""

from __future__ import annotations

import asyncio
import threading
import time
from collections import Counter, deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from itertools import count

import numpy as np
import structlog

from plumbline.bundle.archive import Bundle
from plumbline.service.judged import Judged, sampled_rows
from plumbline.service.model_slot import ModelSlot, Serving
from plumbline.service.predictor import Predicted, Predictor
from plumbline.service.row_log import RowLog
from plumbline.service.shadow_metrics import ShadowMetrics
from plumbline.store.errors import StoreError
from plumbline.store.objects import Objects
from plumbline.store.prediction import ShadowRow
from plumbline.store.registry import CHALLENGER

QUEUE_ROWS = 64
"""Rows that may wait beside those of one request; a larger request finds room when none waits."""

PENDING_ROWS = 10_000
"""Rows in the spool above which the disk is left to those that clients wait for."""

_REST = 9.0
_PAUSE_SECONDS = 0.02
_COMMIT_ROWS = 32
_COMMIT_SECONDS = 0.2
_PATIENCE_SECONDS = 10.0

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class _Question:
    """Some rows of a request that was answered, for the challenger of that moment."""

    challenger: Predictor
    judged: Judged
    places: list[int]


class Shadow:
    """The challengers of one worker.

    Parameters
    ----------
    objects, models
        The store, and the names of the models.
    load
        Makes a bundle answer.
    metrics
        Where it is counted.
    ratio, window_ratio
        Share of rows that are asked about, and share of all rows kept with their whole inputs: the
        smaller sample is within the larger.
    """

    def __init__(
        self,
        objects: Objects,
        models: Sequence[str],
        *,
        load: Callable[[Bundle], Predictor],
        metrics: ShadowMetrics,
        ratio: float,
        window_ratio: float,
    ) -> None:
        named = models if ratio > 0 else ()
        self._slots = {
            name: ModelSlot(objects, name, load=load, counter=metrics, alias=CHALLENGER)
            for name in named
        }
        self._metrics = metrics
        self._asked_below = round(ratio * 2**32)
        self._kept_below = round(window_ratio * 2**32)
        self._queue: deque[_Question] = deque()
        self._queued = 0  # counted up by the event loop alone
        self._taken = 0  # counted up by the thread alone
        self._sequence = count(time.time_ns() // 1000)
        self._stopped = threading.Event()
        self._wanted = threading.Event()
        self._thread: threading.Thread | None = None

    def start(self, row_log: RowLog) -> None:
        """Start the thread; called in the event loop that writes the log."""
        loop = asyncio.get_running_loop()
        self._log = row_log
        self._thread = threading.Thread(target=self._run, args=(loop,), name="shadow", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Stop after the question that is asked now; called from another thread than the loop's."""
        self._stopped.set()
        self._wanted.set()
        if self._thread is not None:
            self._thread.join()

    def poll(self) -> None:
        """Look once at every challenger alias."""
        for slot in self._slots.values():
            slot.poll()
        if any(slot.serving for slot in self._slots.values()):
            self._wanted.set()
        elif not self._stopped.is_set():
            self._wanted.clear()

    @property
    def serving(self) -> list[Serving]:
        """The challengers that are loaded."""
        return [slot.serving for slot in self._slots.values() if slot.serving is not None]

    def follow_up(self, judged: Judged) -> Callable[[], None] | None:
        """Return what is to be done once an answer has been sent; None where that is nothing."""
        slot = self._slots.get(judged.serving.predictor.manifest.name)
        challenger = None if slot is None else slot.serving
        if challenger is None or challenger.predictor.version == judged.serving.predictor.version:
            return None
        return partial(self._take, challenger.predictor, judged)

    def _take(self, challenger: Predictor, judged: Judged) -> None:
        """Queue the sampled rows of a request; in the event loop, its answer is on the way."""
        asked = sampled_rows(judged.ids, judged.groups, self._asked_below)
        places = [place for place, is_asked in enumerate(asked) if is_asked]
        if not places:
            return
        model = challenger.manifest.name
        if not _alike(challenger, judged.serving.predictor):
            self._metrics.count_dropped(model, "other_inputs", len(places))
        elif self._log.pending > PENDING_ROWS:
            self._metrics.count_dropped(model, "log_behind", len(places))
        elif self._waiting and self._waiting + len(places) > QUEUE_ROWS:
            self._metrics.count_dropped(model, "busy", len(places))
        else:
            self._queued += len(places)
            self._queue.append(_Question(challenger, judged, places))

    @property
    def _waiting(self) -> int:
        return self._queued - self._taken

    def _run(self, loop: asyncio.AbstractEventLoop) -> None:
        rows: list[ShadowRow] = []
        due = 0.0
        while not self._stopped.is_set():
            if self._queue and len(rows) < _COMMIT_ROWS:
                due = due if rows else time.monotonic() + _COMMIT_SECONDS
                rows += self._ask(self._queue.popleft())
            elif rows and (self._queue or time.monotonic() >= due):
                self._commit(rows, loop)
                rows = []
            elif rows:
                self._stopped.wait(_PAUSE_SECONDS)
            else:
                self._wanted.wait()
                self._stopped.wait(_PAUSE_SECONDS)

    def _ask(self, question: _Question) -> list[ShadowRow]:
        """Return what the challenger says, and rest."""
        clock = time.thread_time if question.challenger.backend.device == "cpu" else time.monotonic
        began = clock()
        try:
            return self._answer(question)
        except Exception:
            log.exception("shadow_failed")
            return []
        finally:
            self._taken += len(question.places)
            self._stopped.wait((clock() - began) * _REST)

    def _answer(self, question: _Question) -> list[ShadowRow]:
        challenger, judged, places = question.challenger, question.judged, question.places
        began = time.perf_counter()
        said = _answer(challenger, judged, places)
        return judged.rows(
            ShadowRow,
            challenger,
            said,
            places=places,
            sampled=sampled_rows(judged.ids, judged.groups, self._kept_below),
            sequence=self._sequence,
            latency_us=int((time.perf_counter() - began) * 1e6),
        )

    def _commit(self, rows: list[ShadowRow], loop: asyncio.AbstractEventLoop) -> None:
        """Write rows that have gathered: a flush of the disk for each would cost as much again."""
        counted = Counter((row.model, row.version) for row in rows)
        written = asyncio.run_coroutine_threadsafe(self._log.append_shadow(rows), loop)
        try:
            written.result(_PATIENCE_SECONDS)
        except (StoreError, TimeoutError) as error:
            log.warning("shadow_not_logged", reason=str(error))
            for (model, _), number in counted.items():
                self._metrics.count_dropped(model, "log_failed", number)
            return
        for (model, version), number in counted.items():
            self._metrics.count_rows(model, version, number)


def _alike(challenger: Predictor, champion: Predictor) -> bool:
    """Whether what one was shown can be shown to the other."""
    mine, its = challenger.manifest, champion.manifest
    return mine.inputs == its.inputs and mine.unit == its.unit


def _answer(challenger: Predictor, judged: Judged, places: list[int]) -> Predicted:
    """Ask the challenger; where it breaks, every number of its answer is none."""
    inputs = {name: values[places] for name, values in judged.inputs.items()}
    group = np.array([judged.groups[place] for place in places]) if judged.groups else None
    try:
        said = challenger.predict(inputs, group)
    except Exception:
        log.exception("challenger_failed", version=challenger.version)
        said = challenger.silence(len(places), group)
    decision = said.decision
    finite = replace(
        decision, position=np.nan_to_num(decision.position), size=np.nan_to_num(decision.size)
    )
    return replace(said, decision=finite)
