"""A bundle as an MLflow pyfunc: the service's own path from a request to its answer.

MLflow calls `_load_pyfunc`. Nothing of MLflow is needed here, so that what is answered cannot
depend on it. There is no monitor behind a pyfunc, so sizes are those of a model nobody has accused.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec
import numpy as np

from plumbline.bundle.archive import open_bundle
from plumbline.bundle.errors import IntegrityError
from plumbline.bundle.finding import Verdict
from plumbline.bundle.inputs import given
from plumbline.service.errors import RequestRejectedError
from plumbline.service.inputs import build_inputs
from plumbline.service.memory import AnswerMemory
from plumbline.service.model_slot import Serving
from plumbline.service.prediction import build_answer, groups_of, prediction_ids, refuse_non_finite
from plumbline.service.predictor import Predicted, Predictor
from plumbline.service.schema import PREDICT, Instance


class BundleModel:
    """Answers as ``POST /predict`` does."""

    def __init__(self, predictor: Predictor) -> None:
        self._serving = Serving(predictor, 0, Verdict.INSUFFICIENT_DATA)

    def predict(self, model_input: Any, params: Any = None) -> list[dict[str, Any]]:
        """Answer a batch.

        Parameters
        ----------
        model_input
            Instances as in the body of a request: ``{"instances": [...]}``, the list alone, or a
            table with a column for each of their keys. Or arrays ``(n, *shape)``: one for a
            model with one input, else a mapping by name.
        params
            Not used; MLflow hands it over.

        Returns
        -------
        list of dict
            The ``predictions`` of an answer, one for each instance.

        Raises
        ------
        ServiceError
            As the service refuses it: the message names the instance and what was expected.
        """
        del params
        arrays = self._arrays(model_input)
        predictor = self._serving.predictor
        if arrays is not None:
            ids = prediction_ids(predictor.manifest.name, [Instance()] * _rows(arrays))
            return self._said(predictor.predict(arrays), ids)
        body = PREDICT.decode(msgspec.json.encode({"instances": _instances(model_input)}))
        ids = prediction_ids(predictor.manifest.name, body.instances)
        inputs = build_inputs(body, predictor.manifest, AnswerMemory(), ids)
        groups = groups_of(body.instances) if predictor.takes_cross_sections else []
        predicted = predictor.predict(inputs, np.array(groups) if groups else None)
        return self._said(predicted, ids)

    def _said(self, predicted: Predicted, ids: list[str]) -> list[dict[str, Any]]:
        refuse_non_finite(predicted)
        answer = build_answer(self._serving, predicted, ids, sized=self._serving.sized)
        said: list[dict[str, Any]] = msgspec.to_builtins(answer.predictions)
        return said

    def _arrays(self, model_input: Any) -> dict[str, Any] | None:
        """Return arrays by name, in the inputs' own types; None if it is none."""
        specs = given(self._serving.predictor.manifest.inputs)
        if isinstance(model_input, np.ndarray) and len(specs) == 1:
            model_input = {specs[0].name: model_input}
        if not isinstance(model_input, Mapping) or not model_input:
            return None
        if not all(isinstance(each, np.ndarray) for each in model_input.values()):
            return None
        expected = {spec.name: spec.shape for spec in specs}
        found = {name: each.shape[1:] for name, each in model_input.items()}
        rows = {len(each) for each in model_input.values()}
        if found != expected or len(rows) != 1 or rows == {0}:
            raise RequestRejectedError(
                f"expected arrays of n rows with the shapes {expected}, got {found}"
            )
        return {spec.name: np.asarray(model_input[spec.name], spec.dtype) for spec in specs}


def _load_pyfunc(path: str) -> BundleModel:
    """Load the bundle in a folder that has its version as name; MLflow calls this."""
    folder = Path(path)

    def read(name: str) -> bytes:
        try:
            return (folder / name).read_bytes()
        except OSError as error:
            raise IntegrityError(f"{name}: missing from {folder}") from error

    return BundleModel(Predictor.load(open_bundle(folder.name, read)))


def _rows(arrays: Mapping[str, Any]) -> int:
    return len(next(iter(arrays.values())))


def _instances(model_input: Any) -> list[Any]:
    """Return the instances in whatever holds them."""
    if isinstance(model_input, Mapping) and "instances" in model_input:
        model_input = model_input["instances"]
    if hasattr(model_input, "to_dict"):
        model_input = model_input.to_dict("records")
    if isinstance(model_input, str) or not isinstance(model_input, Sequence):
        raise RequestRejectedError(
            f"expected instances as in a request, or arrays by input, got {type(model_input)}"
        )
    return list(model_input)
