"""A request and all that was found out about it, and the rows of the log that come of it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from hashlib import blake2b
from time import time_ns
from typing import TypeVar

import numpy as np

from plumbline.bundle.array import FloatArray
from plumbline.bundle.purpose import CLIENT, MAX_CLIENT
from plumbline.service.http import Request
from plumbline.service.model_slot import Serving
from plumbline.service.predictor import Predicted, Predictor
from plumbline.service.schema import PredictRequest
from plumbline.store.prediction import PredictionRow

_CLIENT = CLIENT.encode()

R = TypeVar("R", bound=PredictionRow)


@dataclass(frozen=True, slots=True)
class Judged:
    """A request and all that was found out about it, row by row.

    Attributes
    ----------
    request, body
        As it came, and as it was read.
    serving, inputs, predicted
        Who answered, what it was shown, what it said.
    ids, groups, bar_times
        Of each row; no groups unless the model takes cross-sections.
    whole, hashes
        All inputs of each row as bytes, and their hash.
    """

    request: Request
    body: PredictRequest
    serving: Serving
    inputs: dict[str, FloatArray]
    predicted: Predicted
    ids: list[str]
    groups: list[str]
    bar_times: list[int | None]
    whole: list[bytes]
    hashes: list[str]

    def rows(
        self,
        kind: type[R],
        predictor: Predictor,
        said: Predicted,
        *,
        places: Sequence[int],
        sampled: Sequence[bool],
        sequence: Iterator[int],
        latency_us: int,
    ) -> list[R]:
        """Return rows of the log.

        Parameters
        ----------
        kind
            What they are.
        predictor, said
            Who answered, and what; one row for each of ``places``.
        places
            Which instances of the request.
        sampled
            Of every instance: whether it is kept with its whole inputs.
        sequence
            Where their numbers come from.
        latency_us
            How long it took.
        """
        outputs, decision = predictor.outputs, said.decision
        centre = outputs.centres(said.readings).astype(np.float32)
        epistemic = outputs.epistemics(said.readings).astype(np.float32)
        actions = None if decision.action is None else decision.action.tolist()
        positions, sizes = decision.position.tolist(), decision.size.tolist()
        instances, now = self.body.instances, time_ns() // 1000
        client = client_of(self.request.headers)
        return [
            kind(
                prediction_id=self.ids[place],
                seq=next(sequence),
                time=now,
                bar_time=self.bar_times[place],
                symbol=instances[place].symbol,
                group=self.groups[place] if self.groups else "",
                client=client,
                model=predictor.manifest.name,
                version=predictor.version,
                latency_us=latency_us,
                raw=said.raw[i].tobytes(),
                centre=centre[i].tobytes(),
                epistemic=epistemic[i].tobytes(),
                action=None if actions is None else actions[i],
                position=positions[i],
                size=sizes[i],
                features=said.features[i].tobytes(),
                inputs_hash=self.hashes[place],
                window=self.whole[place] if sampled[place] else None,
            )
            for i, place in enumerate(places)
        ]


def client_of(headers: Mapping[bytes, bytes]) -> str:
    """Return the name that a client gives itself; empty where it gives none that can be shown.

    It is for people and for telling feeds apart; a name that is none costs nobody an answer.
    """
    name = headers.get(_CLIENT, b"").decode("latin-1").strip()
    return name if len(name) <= MAX_CLIENT and name.isascii() and name.isprintable() else ""


def sampled_rows(ids: list[str], groups: list[str], below: int) -> list[bool]:
    """Tell which rows are in a sample; a cross-section is in it whole or not at all.

    Their ids decide, so that a retry makes the same choice, and the rows of a smaller sample are
    among those of a larger one.

    Parameters
    ----------
    ids, groups
        Of each row; no groups where each row stands alone.
    below
        Of 2³² ids, how many are in it.
    """
    if not groups:
        return [int(name[:8], 16) < below for name in ids]
    least: dict[str, str] = {}
    for name, group in zip(ids, groups, strict=True):
        least[group] = min(name, least.get(group, name))
    kept = {
        group
        for group, name in least.items()
        if int(blake2b(name.encode(), digest_size=4).hexdigest(), 16) < below
    }
    return [group in kept for group in groups]
