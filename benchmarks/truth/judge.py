"""One case: played, watched in slices as the monitor does, and held against what is right."""

from __future__ import annotations

import time
import traceback
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import Literal

import numpy as np

from benchmarks.truth.bars import Recomputation
from benchmarks.truth.graphs import bundle_with
from benchmarks.truth.kind import Kind
from benchmarks.truth.log import written
from benchmarks.truth.market import Market, open_market
from benchmarks.truth.plan import SLICE
from benchmarks.truth.scene import Scene
from plumbline.bundle.archive import Bundle
from plumbline.bundle.finding import Diagnosis
from plumbline.bundle.verdict import Side
from plumbline.monitoring.watching.judgement import Judgement
from plumbline.monitoring.watching.stream import whole_groups
from plumbline.monitoring.watching.watcher import Watcher

MOST_ROWS = 8_000
"""Newest rows of the log that are computed again."""

Outcome = Literal["right", "wrong_party", "missed", "vague", "false", "early", "crashed"]


@dataclass(frozen=True)
class Case:
    """What came of one.

    Attributes
    ----------
    market, kind, place
        Which.
    answer
        The verdict that counts; see `benchmarks.truth.plan`.
    outcome
        ``right``; ``wrong_party``; ``missed``; ``vague``: the right side under another name, or
        `unexplained`; ``false``: something harmless was accused; ``early``: something was accused
        before the onset; ``crashed``: the watcher raised an error.
    delay, delay_total
        Faulty rows, and all rows, from the onset to the answer; None without one.
    said
        Every verdict, with its row counted from the onset.
    cause
        The sentence that came with the answer.
    rows, seconds
        Watched, and the processor time that took.
    """

    market: str
    kind: str
    place: int
    answer: str
    outcome: Outcome
    delay: int | None
    delay_total: int | None
    said: tuple[tuple[int, str], ...]
    cause: str
    rows: int
    seconds: float


@lru_cache(maxsize=1)
def market_of(name: str, data: Path | None) -> Market:
    """Open a market, once in a process."""
    return open_market(name, data)


@lru_cache(maxsize=2)
def broken(market: Market, kind: Kind) -> Bundle:
    """Return the bundle of a market whose graph is this kind's."""
    return bundle_with(market.bundle, kind.apply(market))


def scene_of(market: Market, kind: Kind, place: int) -> tuple[Scene, Bundle]:
    """Play a case; return it with the bundle that answered."""
    if kind.phase != "graph":
        return Scene(market, kind, place), market.bundle
    bundle = broken(market, kind)
    return Scene(market.answering(bundle), kind, place), bundle


def judged(market: Market, kind: Kind, place: int, *, bars: bool = False) -> Case:
    """Play and watch one case; ``bars``: inputs are computed again whatever the kind."""
    scene, bundle = scene_of(market, kind, place)
    batch, order = written(scene, bundle)
    position = {name: i for i, name in enumerate(batch.prediction_id.tolist())}
    faulty = scene.hit[order]
    onset = next(iter(np.flatnonzero(order >= scene.onset).tolist()), len(order))
    if not kind.harmless and faulty.any():
        onset = int(faulty.argmax())
    began = time.process_time()
    watcher = Watcher(bundle)
    found: list[tuple[int, Judgement]] = []
    watched = 0
    recompute = Recomputation(scene)
    for some in whole_groups(batch, SLICE):
        watched += len(some)
        new = [
            (watched - 1 if each.decided_by is None else position[each.decided_by], each)
            for each in watcher.feed(some)
        ]
        if bars or kind.recompute or (kind.harmless and watched == len(batch)):
            client = recompute(batch.take(slice(max(watched - MOST_ROWS, 0), watched)))
            new = _with_bars(new, client, watched - 1, watcher.judgement)
        found += new
        if any(_final(each, row >= onset) for row, each in found):
            break
    spent = time.process_time() - began
    said = tuple((row - onset, each.verdict.value) for row, each in found)
    outcome, at = _outcome(kind, onset, found)
    total = None if at is None else at[0] - onset + 1
    own = None if at is None else int(faulty[onset : at[0] + 1].sum())
    return Case(
        market.name,
        kind.name,
        place,
        "" if at is None else at[1].verdict.value,
        outcome,
        own,
        total,
        said,
        "" if at is None else at[1].diagnosis.cause,
        watched,
        spent,
    )


def crashed(market: Market, kind: Kind, place: int) -> Case:
    """Return the case whose watcher has raised the error that is being handled."""
    cause = traceback.format_exc()
    return Case(market.name, kind.name, place, "", "crashed", None, None, (), cause, 0, 0.0)


def _with_bars(
    new: list[tuple[int, Judgement]], client: Diagnosis | None, row: int, now: Judgement
) -> list[tuple[int, Judgement]]:
    """Let what the bars say of the client go before what was said, as the monitor does."""
    if client is None:
        return new
    kept = [each for each in new if each[1].verdict.facts.of_input or each[1].verdict.facts.sized]
    return [*kept, (row, replace(now, diagnosis=client))]


def _final(judgement: Judgement, late: bool) -> bool:
    """Tell whether nothing that comes later can change the answer."""
    facts = judgement.verdict.facts
    return late and not facts.sized and facts.side is not Side.UNKNOWN


def _outcome(
    kind: Kind, onset: int, found: list[tuple[int, Judgement]]
) -> tuple[Outcome, tuple[int, Judgement] | None]:
    """Hold what was said against what is right."""
    accused = [(row, each) for row, each in found if not each.verdict.facts.sized]
    if kind.harmless:
        return ("false", accused[0]) if accused else ("right", None)
    if accused and accused[0][0] < onset:
        return "early", accused[0]
    answer = _answer([each for each in found if each[0] >= onset])
    if answer is None:
        return "missed", None
    verdict = answer[1].verdict
    if verdict.value in kind.right | kind.also:
        return "right", answer
    side = verdict.facts.side
    if side is not Side.UNKNOWN and side.value not in kind.sides:
        return "wrong_party", answer
    return "vague", answer


def _answer(late: list[tuple[int, Judgement]]) -> tuple[int, Judgement] | None:
    """Return the judgement that counts."""
    accused = [each for each in late if not each[1].verdict.facts.sized]
    named = [each for each in accused if each[1].verdict.facts.side is not Side.UNKNOWN]
    if named or accused:
        return (named or accused)[0]
    undecided = [
        each
        for each in late
        if not each[1].verdict.facts.well and each[1].verdict.value != "insufficient_data"
    ]
    return undecided[-1] if undecided else None
