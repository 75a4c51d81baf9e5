"""Predictions in a file: what columns it may have, and how they become a sample.

CSV and Parquet, one row per prediction, oldest first:

=====================  ==========================================================================
``probability_<C>``    one column per class ``C``, in class order; or ``logit_<C>`` instead
``action``             class name or number; by default the policy's
``label``              class name or number, empty or -1 where unknown
``symbol``, ``time``   by default one symbol; ISO 8601, the bar's open time
``inputs_hash``        equal for equal input windows
``feature_<F>``        one column per feature ``F``, the last step of the window before scaling
=====================  ==========================================================================

An ``.npz`` holds arrays ``logits`` or ``probabilities`` ``(n, k)`` and, if known, ``classes``,
``actions``, ``labels``, ``features`` ``(n, f)``, ``feature_names``, ``bar_time`` and ``symbol``;
of a bundle's own reference ask by its version instead.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from plumbline.bundle.array import AnyArray, FloatArray, IntArray
from plumbline.bundle.calibration import ChoiceCalibration, softmax
from plumbline.bundle.errors import FormatError
from plumbline.bundle.outputs import Outputs
from plumbline.bundle.policies.argmax import ArgmaxParams, ArgmaxPolicy
from plumbline.bundle.spec import OutputSpec
from plumbline.diagnosis.sample import Context, Sample

SUFFIXES = (".csv", ".parquet", ".npz")


@dataclass(frozen=True)
class PredictionFile:
    """What was read, as columns; None, or no names, where the file does not say."""

    classes: tuple[str, ...]
    feature_names: tuple[str, ...]
    logits: FloatArray | None
    probabilities: FloatArray | None
    actions: AnyArray | None
    labels: AnyArray | None
    features: FloatArray | None
    bar_time: IntArray | None
    symbol: AnyArray | None
    inputs_hash: AnyArray | None

    def judged_by(self, context: Context | None, *, tau: float) -> tuple[Sample, Context]:
        """Return the sample and what it is held against.

        Parameters
        ----------
        context
            Of a bundle, whose classes and features must be the file's; None to let the file speak
            for itself: its prior is the shares of its labels, or even.
        tau
            Of the decision policy where there is no bundle and no action column.

        Raises
        ------
        FormatError
            Classes, features or values are not what they should be.
        """
        if not self.classes:
            return replace(self, classes=self._unnamed(context)).judged_by(context, tau=tau)
        if context is None:
            context = self._own_context(tau)
        else:
            self._compare(context)
        probabilities = self.probabilities
        if probabilities is None:
            if self.logits is None:
                raise FormatError("expected logits or probabilities, found neither")
            probabilities = softmax(self.logits)
        if not np.isfinite(probabilities).all():
            raise FormatError("probabilities: expected finite numbers; drop the other rows first")
        outputs = context.outputs
        readings = outputs.restore(probabilities, np.zeros((len(probabilities), 1)))
        actions = outputs.decide(readings).action
        if self.actions is not None:
            actions = _codes(self.actions, self.classes, "action")
        sample = Sample(
            readings=readings,
            action=actions,
            features=self.features,
            truth=None if self.labels is None else _truth(self.labels, self.classes),
            bar_time=self.bar_time,
            symbol=self.symbol,
            inputs_hash=self.inputs_hash,
        )
        return sample, context

    def _unnamed(self, context: Context | None) -> tuple[str, ...]:
        """Return the bundle's choices if there are as many, else numbers."""
        said = self.probabilities if self.probabilities is not None else self.logits
        width = 0 if said is None else said.shape[1]
        choices = () if context is None else context.outputs.specs[0].choices
        return choices if len(choices) == width else tuple(f"class_{i}" for i in range(width))

    def _own_context(self, tau: float) -> Context:
        shares = np.full(len(self.classes), 1.0 / len(self.classes))
        if self.labels is not None:
            known = _codes(self.labels, self.classes, "label")
            counts = np.bincount(known[known >= 0], minlength=len(self.classes)) + 1.0
            shares = counts / counts.sum()
        spec = OutputSpec(
            name="file",
            kind="choice",
            horizon_seconds=1,
            width=len(self.classes),
            choices=self.classes,
        )
        params = ArgmaxParams(tau=tau, prior=tuple(shares.tolist()))
        outputs = Outputs(
            (spec,),
            {spec.name: ChoiceCalibration.identity(len(self.classes))},
            ArgmaxPolicy(params, spec),
        )
        width = 0 if self.features is None else self.features.shape[1]
        names = self.feature_names or tuple(f"feature_{i}" for i in range(width))
        return Context(outputs, names)

    def _compare(self, context: Context) -> None:
        specs = context.outputs.specs
        if len(specs) > 1 or not specs[0].choices:
            raise FormatError(
                "a file holds the probabilities of one choice; this bundle gives "
                + ", ".join(f"{spec.name} ({spec.kind})" for spec in specs)
            )
        if self.classes != specs[0].choices:
            raise FormatError(f"classes: expected {specs[0].choices}, found {self.classes}")
        if self.features is None:
            return
        if not self.feature_names and self.features.shape[1] != len(context.features):
            raise FormatError(
                f"features: expected {len(context.features)} columns, "
                f"found {self.features.shape[1]}"
            )
        if self.feature_names and self.feature_names != context.features:
            missing = sorted(set(context.features) - set(self.feature_names))
            unknown = sorted(set(self.feature_names) - set(context.features))
            raise FormatError(
                f"features differ from the bundle's, or come in another order: "
                f"{missing=}, {unknown=}"
            )


def read_predictions(path: Path) -> PredictionFile:
    """Read a file of predictions.

    Raises
    ------
    FormatError
        Naming the file, what was expected and what was found.
    """
    try:
        if path.suffix == ".npz":
            return _from_arrays(path)
        if path.suffix in SUFFIXES:
            return _from_table(path)
    except (OSError, ValueError) as error:
        raise FormatError(f"{path}: {error}") from error
    raise FormatError(f"{path}: expected one of {', '.join(SUFFIXES)}")


def _from_arrays(path: Path) -> PredictionFile:
    with np.load(path, allow_pickle=False) as archive:
        return of_arrays({name: archive[name] for name in archive.files}, source=str(path))


def of_arrays(found: Mapping[str, AnyArray], *, source: str) -> PredictionFile:
    """Take predictions from arrays, named as those of an ``.npz``.

    Raises
    ------
    FormatError
        If there are no probabilities and no logits, of shape ``(n, k)``; names the source.
    """
    outputs = found.get("probabilities", found.get("logits"))
    if outputs is None or outputs.ndim != 2 or outputs.shape[1] == 0:
        raise FormatError(f"{source}: expected an array probabilities or logits of shape (n, k)")
    return PredictionFile(
        classes=tuple(str(name) for name in found.get("classes", ())),
        feature_names=tuple(str(name) for name in found.get("feature_names", ())),
        logits=found.get("logits"),
        probabilities=found.get("probabilities"),
        actions=found.get("actions"),
        labels=found.get("labels"),
        features=found.get("features"),
        bar_time=found.get("bar_time"),
        symbol=found.get("symbol"),
        inputs_hash=found.get("inputs_hash"),
    )


def _from_table(path: Path) -> PredictionFile:
    import pyarrow as pa
    import pyarrow.csv
    import pyarrow.parquet

    try:
        table: pa.Table = (
            pyarrow.csv.read_csv(path)
            if path.suffix == ".csv"
            else pyarrow.parquet.read_table(path)
        )
    except pa.ArrowInvalid as error:
        raise FormatError(f"{path}: {error}") from error
    names = list(table.column_names)
    probabilities, classes = _wide(table, names, "probability_")
    logits, others = _wide(table, names, "logit_")
    features, feature_names = _wide(table, names, "feature_")
    if probabilities is None and logits is None:
        raise FormatError(
            f"{path}: expected columns probability_<class> or logit_<class>, found {names}; of a "
            "value, a score or several outputs ask for `live`, or call plumbline.diagnose"
        )
    time = None
    if "time" in names:
        stamps = pa.compute.cast(table["time"], pa.timestamp("us"))
        time = np.asarray(stamps.cast(pa.int64()))
    return PredictionFile(
        classes=classes or others,
        feature_names=feature_names,
        logits=logits,
        probabilities=probabilities,
        actions=_column(table, names, "action"),
        labels=_column(table, names, "label"),
        features=features,
        bar_time=time,
        symbol=_column(table, names, "symbol"),
        inputs_hash=_column(table, names, "inputs_hash"),
    )


def _wide(
    table: object, names: Sequence[str], prefix: str
) -> tuple[FloatArray | None, tuple[str, ...]]:
    chosen = [name for name in names if name.startswith(prefix)]
    if not chosen:
        return None, ()
    columns = [np.asarray(table[name], np.float64) for name in chosen]  # type: ignore[index]
    return np.column_stack(columns), tuple(name.removeprefix(prefix) for name in chosen)


def _column(table: object, names: Sequence[str], name: str) -> AnyArray | None:
    if name not in names:
        return None
    return np.array(table[name].to_pylist(), dtype=object)  # type: ignore[index]


def _truth(labels: AnyArray, classes: Sequence[str]) -> FloatArray:
    """Return labels as ``(n, 1)`` truths, NaN where unknown."""
    codes = _codes(labels, classes, "label")
    return np.where(codes >= 0, codes, np.nan)[:, None]


def _codes(values: AnyArray, classes: Sequence[str], what: str) -> IntArray:
    """Class names or numbers as numbers; -1 where empty."""
    known = {name: i for i, name in enumerate(classes)}
    known |= {str(i): i for i in range(-1, len(classes))} | {"": -1, "None": -1, "nan": -1}
    texts = [str(value).removesuffix(".0") for value in values.tolist()]
    if unknown := sorted(set(texts) - set(known)):
        raise FormatError(f"{what}: expected {list(classes)} or their numbers, found {unknown[:5]}")
    return np.array([known[text] for text in texts], dtype=np.int64)
