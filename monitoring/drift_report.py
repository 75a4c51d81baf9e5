"""The drift report for people: reference against the newest predictions, as one HTML page.

What counts as drift is learnt from the reference's own stretches (`monitoring.drift_threshold`).
Run as ``python -m plumbline.monitoring.drift_report``, a process of its own: importing Evidently
takes seconds and hundreds of megabytes, which the control loop must not wait for. This is the one
module that knows Evidently.
"""

from __future__ import annotations

import argparse
import html
import json
import os
import sys
import warnings
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import numpy as np

from plumbline.bundle.archive import Bundle
from plumbline.bundle.array import FloatArray, IntArray
from plumbline.monitoring.drift_threshold import DriftThresholds, fit_thresholds, in_time_order
from plumbline.store.log import PredictionLog
from plumbline.store.objects import Objects
from plumbline.store.prediction import PredictionBatch
from plumbline.store.registry import ModelRegistry
from plumbline.store.report import forget_reports, write_report

if TYPE_CHECKING:
    import pandas as pd

MAX_ROWS = 50_000
MIN_ROWS = 30
KEPT_REPORTS = 20
"""Drift reports of a model that stay in the store; each is some megabytes."""


@dataclass(frozen=True)
class DriftReport:
    """A page, and the columns it found drifted.

    Attributes
    ----------
    page
        As HTML.
    drifted, columns, rows
        Names of the columns that have drifted, how many there are, and rows looked at.
    thresholds
        What counted as drift.
    """

    page: str
    drifted: tuple[str, ...]
    columns: int
    rows: int
    thresholds: DriftThresholds


def build_drift_report(
    bundle: Bundle, rows: PredictionBatch, *, max_rows: int = MAX_ROWS
) -> DriftReport:
    """Hold the given predictions of a bundle against its reference.

    Parameters
    ----------
    bundle
        Gives the reference and the names.
    rows
        Of the prediction log, oldest first.
    max_rows
        Of either side, the newest are taken.

    Raises
    ------
    ValueError
        With fewer than 30 rows: no distribution can be told from so few.
    """
    if len(rows) < MIN_ROWS:
        raise ValueError(f"{len(rows)} predictions, a drift report needs {MIN_ROWS}")
    os.environ["DO_NOT_TRACK"] = "1"  # read by Evidently when it is imported
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from evidently import (  # noqa: PLC0415  # seconds and hundreds of megabytes
            DataDefinition,
            Dataset,
            Report,
        )
        from evidently.presets import DataDriftPreset  # noqa: PLC0415

        numbers = _numeric_names(bundle)
        actions = ["action"] if bundle.manifest.actions else []
        definition = DataDefinition(numerical_columns=numbers, categorical_columns=actions)
        newest = slice(-max_rows, None)
        rows = rows.take(newest)
        past = in_time_order(bundle.reference, np.unique(rows.symbol))
        past = past.take(newest)
        reference = _frame(bundle, past.features, past.centre, past.action)
        current = _frame(bundle, rows.features, rows.centre, rows.action)
        limits = fit_thresholds(reference[numbers].to_numpy(), past.action, len(rows))
        preset = DataDriftPreset(
            num_method="wasserstein",
            cat_method="jensenshannon",
            cat_threshold=limits.action,
            per_column_threshold=dict(zip(numbers, limits.numbers.tolist(), strict=True)),
        )
        snapshot = Report([preset]).run(
            Dataset.from_pandas(current, data_definition=definition),
            Dataset.from_pandas(reference, data_definition=definition),
        )
        page = str(snapshot.get_html_str(as_iframe=False))
        results = snapshot.dict()["metrics"]
    return DriftReport(
        page=_with_note(page, limits.sentence),
        drifted=tuple(_drifted(results)),
        columns=len(current.columns),
        rows=len(current),
        thresholds=limits,
    )


def _with_note(page: str, note: str) -> str:
    """Return a page that begins with a sentence."""
    head, body, rest = page.partition("<body")
    attributes, end, content = rest.partition(">")
    if not (body and end):
        return page
    paragraph = f'<p style="font:14px sans-serif;margin:1em 2em">{html.escape(note)}</p>'
    return f"{head}{body}{attributes}{end}{paragraph}{content}"


def _drifted(results: list[dict[str, object]]) -> list[str]:
    """Return the columns that Evidently calls drifted, by the thresholds it was given."""
    found = []
    for result in results:
        config, value = result["config"], result["value"]
        if isinstance(config, dict) and isinstance(value, float) and "column" in config:
            # p-values alarm when they are small, distances when they are large.
            small = "p_value" in config["method"]
            if (value < config["threshold"]) if small else (value >= config["threshold"]):
                found.append(html.unescape(config["column"]))
    return found


def _numeric_names(bundle: Bundle) -> list[str]:
    """Return the numeric columns' names; markup in a feature's name stays text."""
    said = [
        f"{spec.name} {name}".strip()
        for spec in bundle.manifest.outputs
        for name in spec.choices or [""] * spec.width
    ]
    said = [name if said.count(name) == 1 else f"{name} {i}" for i, name in enumerate(said)]
    return [html.escape(name) for name in (*bundle.manifest.feature_names, *said)]


def _frame(
    bundle: Bundle, features: FloatArray, centre: FloatArray, action: IntArray
) -> pd.DataFrame:
    import pandas as pd  # noqa: PLC0415  # as heavy as what it is for

    numbers = np.column_stack([features, centre]).astype(np.float64)
    frame = pd.DataFrame(numbers, columns=_numeric_names(bundle))
    if names := bundle.manifest.actions:
        frame["action"] = [html.escape(names[a]) for a in action]
    return frame


def main(arguments: list[str] | None = None) -> int:
    """Write the report of a version's newest predictions and print where it is."""
    parser = argparse.ArgumentParser(description=__doc__)
    for name in ("store", "model", "version"):
        parser.add_argument(f"--{name}", required=True)
    parser.add_argument("--rows", type=int, default=5_000)
    given = parser.parse_args(arguments)
    objects = Objects(given.store)
    bundle = ModelRegistry(objects, given.model).open(given.version)
    rows = PredictionLog(objects, given.model).read(version=given.version, limit=given.rows)
    try:
        report = build_drift_report(bundle, rows)
    except ValueError as error:
        print(f"no report: {error}", file=sys.stderr)  # noqa: T201  # for the job's log
        return 1
    key = write_report(objects, given.model, report.page, datetime.now(UTC))
    forget_reports(objects, given.model, kind="drift", kept=KEPT_REPORTS)
    answer = {
        "key": key,
        "version": given.version,
        "drifted": report.drifted,
        "columns": report.columns,
        "rows": report.rows,
    }
    print(json.dumps(answer))  # noqa: T201  # the job's document
    return 0


if __name__ == "__main__":
    sys.exit(main())
