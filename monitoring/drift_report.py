"""The drift report for people: reference against the newest predictions, as one HTML page.

What counts as drift is learnt from the reference's own stretches (`monitoring.drift_threshold`).
Run as ``python -m plumbline.monitoring.drift_report``, a process of its own: importing Evidently
takes seconds and hundreds of megabytes, which the control loop must not wait for. This is the one
module that knows Evidently: its distances are taken, and the page is ours (`page.report`), since
Evidently's own is four megabytes of scripts that no telephone shows.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import warnings
from dataclasses import dataclass, field
from datetime import UTC, datetime
from importlib.metadata import version
from typing import TYPE_CHECKING

import numpy as np

from plumbline.bundle.archive import Bundle
from plumbline.bundle.array import FloatArray, IntArray
from plumbline.bundle.moment import moment_of
from plumbline.monitoring.drift_threshold import DriftThresholds, fit_thresholds, in_time_order
from plumbline.monitoring.page.report import (
    Column,
    Heading,
    Share,
    number_column,
    render,
    share_column,
)
from plumbline.store.board import Bulletin, verdict_board
from plumbline.store.log import PredictionLog
from plumbline.store.objects import Objects
from plumbline.store.prediction import PredictionBatch
from plumbline.store.registry import ModelRegistry
from plumbline.store.report import forget_reports, write_report

if TYPE_CHECKING:
    import pandas as pd

MAX_ROWS = 50_000
MIN_ROWS = 30
KEPT_REPORTS = 200
"""Drift reports of a model that stay in the store; each is about 100 kB."""

ACTION = "action"


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

    page: str = field(repr=False)
    drifted: tuple[str, ...]
    columns: int
    rows: int
    thresholds: DriftThresholds


@dataclass(frozen=True)
class _Sides:
    """The reference and the newest rows, with the same columns in the same order."""

    numbers: tuple[str, ...]
    actions: tuple[str, ...]
    past: FloatArray
    now: FloatArray
    past_action: IntArray
    now_action: IntArray


def build_drift_report(
    bundle: Bundle,
    rows: PredictionBatch,
    *,
    max_rows: int = MAX_ROWS,
    bulletin: Bulletin | None = None,
    clock: datetime | None = None,
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
    bulletin
        What the monitor says of this version, for people to read beside it.
    clock
        When the report is made; now, if it is not given.

    Raises
    ------
    ValueError
        With fewer than 30 rows: no distribution can be told from so few.
    """
    if len(rows) < MIN_ROWS:
        raise ValueError(f"{len(rows)} predictions, a drift report needs {MIN_ROWS}")
    newest = slice(-max_rows, None)
    rows = rows.take(newest)
    past = in_time_order(bundle.reference, np.unique(rows.symbol)).take(newest)
    sides = _Sides(
        numbers=_numeric_names(bundle),
        actions=bundle.manifest.actions,
        past=np.column_stack([past.features, past.centre]).astype(np.float64),
        now=np.column_stack([rows.features, rows.centre]).astype(np.float64),
        past_action=past.action,
        now_action=rows.action,
    )
    limits = fit_thresholds(sides.past, past.action, len(rows))
    columns = _columns(sides, limits, _distances(sides, limits))
    heading = Heading(
        model=bundle.manifest.name,
        version=bundle.version,
        made=clock or datetime.now(UTC),
        rows=len(rows),
        first=moment_of(int(rows.time[0])),
        last=moment_of(int(rows.time[-1])),
        reference_rows=len(past),
        rule=limits.sentence,
        source=f"Evidently {version('evidently')}",
        bulletin=bulletin,
    )
    return DriftReport(
        page=render(heading, columns),
        drifted=tuple(column.name for column in columns if column.drifted),
        columns=len(columns),
        rows=len(rows),
        thresholds=limits,
    )


def _distances(sides: _Sides, limits: DriftThresholds) -> list[float]:
    """Return Evidently's distance of each column, the actions' last if there are any."""
    os.environ["DO_NOT_TRACK"] = "1"  # read by Evidently when it is imported
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from evidently import (  # noqa: PLC0415  # seconds and hundreds of megabytes
            DataDefinition,
            Dataset,
            Report,
        )
        from evidently.presets import DataDriftPreset  # noqa: PLC0415

        # By place: names come from outside, and two of them may be the same to Evidently.
        places = [str(place) for place in range(len(sides.numbers))]
        actions = [ACTION] if sides.actions else []
        definition = DataDefinition(numerical_columns=places, categorical_columns=actions)
        preset = DataDriftPreset(
            num_method="wasserstein",
            cat_method="jensenshannon",
            cat_threshold=limits.action,
            per_column_threshold=dict(zip(places, limits.numbers.tolist(), strict=True)),
        )
        snapshot = Report([preset]).run(
            Dataset.from_pandas(
                _frame(sides.now, sides.now_action, places, actions), data_definition=definition
            ),
            Dataset.from_pandas(
                _frame(sides.past, sides.past_action, places, actions), data_definition=definition
            ),
        )
        results = snapshot.dict()["metrics"]
    found = {
        result["config"]["column"]: float(result["value"])
        for result in results
        if "column" in result["config"]
    }
    return [found[name] for name in (*places, *actions)]


def _columns(sides: _Sides, limits: DriftThresholds, distances: list[float]) -> list[Column]:
    """Return what the page shows of each column, in the bundle's order."""
    made = [
        number_column(name, sides.past[:, j], sides.now[:, j], distances[j], limits.numbers[j])
        for j, name in enumerate(sides.numbers)
    ]
    if sides.actions:
        kinds = len(sides.actions)
        past, now = (
            np.bincount(side[side >= 0], minlength=kinds) / max((side >= 0).sum(), 1)
            for side in (sides.past_action, sides.now_action)
        )
        triples = zip(sides.actions, past.tolist(), now.tolist(), strict=True)
        shares = [Share(name, before, after) for name, before, after in triples]
        made.append(share_column(ACTION, shares, distance=distances[-1], threshold=limits.action))
    return made


def _numeric_names(bundle: Bundle) -> tuple[str, ...]:
    """Return the numeric columns' names: features, then the numbers of every output."""
    said = [
        f"{spec.name} {name}".strip()
        for spec in bundle.manifest.outputs
        for name in spec.choices or [""] * spec.width
    ]
    said = [name if said.count(name) == 1 else f"{name} {i}" for i, name in enumerate(said)]
    return (*bundle.manifest.feature_names, *said)


def _frame(
    numbers: FloatArray, action: IntArray, places: list[str], actions: list[str]
) -> pd.DataFrame:
    import pandas as pd  # noqa: PLC0415  # as heavy as what it is for

    frame = pd.DataFrame(numbers, columns=places)
    for name in actions:
        frame[name] = action.astype(str)
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
    said = verdict_board(objects, given.model).newest()
    bulletin = said.value if said and said.value.version == bundle.version else None
    try:
        report = build_drift_report(bundle, rows, bulletin=bulletin)
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
