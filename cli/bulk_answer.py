"""Who answers a bulk prediction: a bundle in this process, or a service.

Both say what `plumbline.client` reads, the bundle through the very code that answers requests, so
that the two cannot differ.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Sequence
from uuid import uuid4

import msgspec
import numpy as np
from typing_extensions import override

from plumbline.bundle.archive import Bundle
from plumbline.bundle.errors import BundleError
from plumbline.bundle.finding import Verdict
from plumbline.bundle.manifest import Manifest
from plumbline.bundle.moment import moment_of
from plumbline.bundle.spec import InputSpec
from plumbline.cli.bulk_source import Batch
from plumbline.client import Client, ClientError, Instance, Prediction, ServedModel
from plumbline.client.answer import read_predictions
from plumbline.service.model_slot import Serving
from plumbline.service.prediction import build_answer, finite_rows
from plumbline.service.predictor import Predictor
from plumbline.service.schema import MAX_INSTANCES

_BODY_BYTES = 900_000
_BYTES_A_NUMBER = 24


class Answerer(ABC):
    """What can be asked about a batch.

    Attributes
    ----------
    name, version
        Of the model.
    manifest
        Of the bundle, where it is at hand.
    inputs
        What is taken from the rows.
    whole
        Whether it answers cross-sections.
    interval_seconds
        Of its bars.
    batch
        How many rows it is best asked about at once.
    """

    name: str
    version: str
    manifest: Manifest | None = None
    inputs: tuple[InputSpec, ...]
    whole: bool
    interval_seconds: int
    batch: int = MAX_INSTANCES

    @property
    def takes_bars(self) -> bool:
        """Whether it computes its columns from bars."""
        return any(spec.source == "bars" for spec in self.inputs)

    @abstractmethod
    def answer(self, batch: Batch) -> list[Prediction]:
        """Answer each row."""


class BundleAnswerer(Answerer):
    """Answers with a bundle; nothing is logged, and sizes are those of a healthy model."""

    def __init__(self, bundle: Bundle) -> None:
        predictor = Predictor.load(bundle)
        manifest = self.manifest = bundle.manifest
        self.name, self.version = manifest.name, bundle.version
        self.inputs = manifest.inputs
        self.whole = predictor.takes_cross_sections
        self.interval_seconds = manifest.bar_interval_seconds
        self._serving = Serving(predictor, 0, Verdict.HEALTHY)

    @override
    def answer(self, batch: Batch) -> list[Prediction]:
        predicted = self._serving.predictor.predict(batch.inputs, batch.group)
        finite = finite_rows(predicted)
        if not finite.all():
            row = int((~finite).argmax())
            raise BundleError(
                f"the model's output for {batch.symbol[row]} at "
                f"{moment_of(int(batch.time[row])).isoformat()} is not finite: its inputs are far "
                "outside of what it was trained on"
            )
        answer = build_answer(self._serving, predicted, [""] * len(batch), sized=True)
        return read_predictions(msgspec.to_builtins(answer), len(batch))


class ServiceAnswerer(Answerer):
    """Answers with a running service, which logs each row as it does for every client.

    Parameters
    ----------
    client
        Of the service.
    model
        What it serves.
    given
        Columns that the rows have: an input from the log that is not among them is left to the
        service.
    """

    def __init__(self, client: Client, model: ServedModel, given: Sequence[str] = ()) -> None:
        self._client = client
        self._run = uuid4().hex[:16]
        self.name, self.version = model.name, model.version
        self.inputs = tuple(
            InputSpec.model_validate(
                {
                    "name": each.name,
                    "shape": each.shape,
                    "source": each.source,
                    "names": each.columns,
                    "dtype": "float64",  # as read; the service knows what the graph takes
                }
            )
            for each in model.inputs
            if each.source != "bundle" and (each.source != "log" or set(each.columns) <= set(given))
        )
        self.whole = model.unit == "cross_section"
        self.interval_seconds = model.bar_interval_seconds
        numbers = sum(math.prod(spec.shape) for spec in self.inputs)
        most = _BODY_BYTES // (numbers * _BYTES_A_NUMBER + 200)
        self.batch = max(1, min(MAX_INSTANCES, most))

    @override
    def answer(self, batch: Batch) -> list[Prediction]:
        return self._client.predict_many(
            [
                Instance(
                    inputs={name: values[i] for name, values in batch.inputs.items()},
                    symbol=str(batch.symbol[i]),
                    time=np.datetime64(int(batch.time[i]), "us"),
                    group=f"{self._run}-{batch.group[i]}",
                )
                for i in range(len(batch))
            ]
        )


def served_model(client: Client, name: str | None) -> ServedModel:
    """Return what a service serves under this name; without one the only model.

    Raises
    ------
    ClientError
        If there is no such model, or several and no name.
    """
    served = {model.name: model for model in client.models()}
    if name is None and len(served) == 1:
        return next(iter(served.values()))
    if name in served:
        return served[name]
    what = "serves nothing yet" if not served else f"serves {', '.join(sorted(served))}"
    raise ClientError(f"the service {what}: say which with --model")
