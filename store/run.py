"""Runs: the record that every training leaves, whatever became of it.

Layout: ``runs/<model>/<run>/begun.json`` when it begins, ``record.json`` and ``report.html`` once
it has ended. Nothing is ever changed. A run that has begun and has no record is going on, or was
killed before it could write one.
"""

from __future__ import annotations

import re
import secrets
from datetime import UTC, datetime
from enum import StrEnum
from typing import Literal

from pydantic import Field, JsonValue

from plumbline.bundle.finding import Verdict
from plumbline.bundle.record import Record
from plumbline.store.errors import NotFoundError
from plumbline.store.objects import Objects

_RUN = re.compile(r"\d{8}T\d{6}Z-[0-9a-f]{6}")
_BEGUN, _RECORD, _REPORT = "begun.json", "record.json", "report.html"


class RunEnd(StrEnum):
    """How a run ended."""

    FINISHED = "finished"
    REFUSED = "refused"
    FAILED = "failed"
    INTERRUPTED = "interrupted"


class EpochLoss(Record):
    """What one pass over the training rows achieved; losses in nats per row."""

    number: int = Field(ge=1)
    train: float
    calibration: float


class StageTime(Record):
    """How long one stage took."""

    name: str
    seconds: float


class Environment(Record):
    """Where a run took place."""

    python: str
    platform: str
    cpu: str
    cores: int
    threads: int = Field(description="That the fit used.")
    libraries: dict[str, str]
    commit: str | None = Field(None, description="Of the git checkout it ran from, if any.")
    host: str


class ReliabilityBin(Record):
    """Rows of which nearly the same was said."""

    said: float = Field(description="Mean probability, forecast or score.")
    was: float = Field(description="Share of the rows that were of the choice, or mean truth.")
    rows: int


class Series(Record):
    """One line of a plot."""

    name: str
    values: tuple[float, ...]


class Equity(Record):
    """What the suggested sizes would have added up to on validation; hypothetical.

    Each row stakes its size on the label's own return, and pays the policy's cost. Rows overlap,
    sizes are added up, not compounded, and nothing is said of slippage or of room in the market.
    """

    time: tuple[datetime, ...]
    lines: tuple[Series, ...] = Field(description="Cumulated, as shares of the capital.")
    cost: float = Field(description="Of a round trip, per unit of size.")
    turnover: float = Field(description="Sum of the sizes.")
    break_even: float | None = Field(description="Cost at which the sum would be zero.")


class ValidationPicture(Record):
    """What the report draws of the validation rows: of the primary output, and of the policy."""

    rows: int
    output: str = Field(description="Name of the primary output.")
    kind: str = Field(description="Of it: choice, value, score, or a plug-in's.")
    names: tuple[str, ...] = Field(description="The choices; the output's own name without any.")
    reliability: dict[str, tuple[ReliabilityBin, ...]] = Field(description="By name.")
    histogram: dict[str, tuple[int, ...]] = Field(
        description="Rows by name and by what was said, in equal bins between the ends."
    )
    ends: tuple[float, float] = Field(description="Of the histogram.")
    actions: tuple[str, ...] = Field((), description="Of the policy, if it has any.")
    action_shares: tuple[float, ...] = ()
    truth_shares: tuple[float, ...] = Field((), description="Where the actions are the choices.")
    equity: Equity | None


class RunBegun(Record):
    """What is known when a run begins."""

    format: Literal[1] = 1
    id: str
    kind: Literal["training", "refit"]
    model: str
    config: str = Field(description="Name or path of the configuration; the parent for a refit.")
    overrides: tuple[str, ...] = Field((), description="As given with --set.")
    began: datetime
    continues: str | None = Field(None, description="The run whose epochs it takes over, if any.")


class RunRecord(RunBegun):
    """All that a run leaves behind, beside its bundle."""

    ended: datetime
    end: RunEnd
    message: str = Field("", description="Why it failed, or where it was interrupted.")
    experiment: dict[str, JsonValue] = Field(description="The resolved configuration.")
    epochs: tuple[EpochLoss, ...] = ()
    best_epoch: int | None = None
    stages: tuple[StageTime, ...] = ()
    environment: Environment
    symbols: tuple[str, ...] = ()
    data_sha256: str | None = None
    rows: dict[str, int] = Field(default_factory=dict, description="Where every row went.")
    metrics: dict[str, float] = Field(default_factory=dict, description="On validation.")
    verdict: Verdict | None = None
    reasons: tuple[str, ...] = Field((), description="Why the gate refused it.")
    version: str | None = Field(None, description="The bundle it wrote, if it wrote one.")
    parent: str | None = Field(None, description="Version whose weights it started from, if any.")
    promoted: bool = False
    picture: ValidationPicture | None = None

    @property
    def seconds(self) -> float:
        """How long it took."""
        return (self.ended - self.began).total_seconds()


def new_run_id(now: datetime) -> str:
    """Return an identifier that sorts by time and that no other run has."""
    return f"{now.astimezone(UTC):%Y%m%dT%H%M%SZ}-{secrets.token_hex(3)}"


class Runs:
    """The runs of one model."""

    def __init__(self, objects: Objects, model: str) -> None:
        self._objects = objects
        self.model = model

    @staticmethod
    def models(objects: Objects) -> list[str]:
        """Return the names of all models that have runs."""
        return objects.folders("runs")

    def ids(self) -> list[str]:
        """Return the identifiers of all runs, newest first."""
        return [run for run in self._objects.folders(self._folder()) if _RUN.fullmatch(run)][::-1]

    def begin(self, begun: RunBegun) -> None:
        """Write down that a run begins."""
        self._objects.create(f"{self._folder(begun.id)}/{_BEGUN}", begun.to_json())

    def finish(self, record: RunRecord, report: str) -> None:
        """Write down how a run ended; the record last, so that who sees it finds the report.

        Raises
        ------
        ConflictError
            If it has a record already.
        """
        self._objects.create(f"{self._folder(record.id)}/{_REPORT}", report.encode())
        self._objects.create(f"{self._folder(record.id)}/{_RECORD}", record.to_json())

    def read(self, run: str) -> RunRecord | RunBegun:
        """Return what is known of a run.

        Raises
        ------
        NotFoundError
            If there is none; names that no run can have are not even looked for.
        BundleError
            If it cannot be read.
        """
        folder = self._known(run)
        try:
            data = self._objects.read(f"{folder}/{_RECORD}")
        except NotFoundError:
            data = self._objects.read(f"{folder}/{_BEGUN}")
            return RunBegun.from_json(data, source=f"{folder}/{_BEGUN}")
        return RunRecord.from_json(data, source=f"{folder}/{_RECORD}")

    def report(self, run: str) -> str:
        """Return the report of a run; raises as `read`, also where a run has none (yet)."""
        return self._objects.read(self.report_key(run)).decode()

    def report_key(self, run: str) -> str:
        """Return where the report of a run lies in the store, or will."""
        return f"{self._known(run)}/{_REPORT}"

    def resolve(self, text: str) -> str:
        """Return the run meant by ``last``, by the first characters of one, or by the version made.

        Raises
        ------
        NotFoundError
            If there is no such run, or several begin so; names what there is.
        """
        known = self.ids()
        if text == "last" and known:
            return known[0]
        found = [run for run in known if run.startswith(text) or run.endswith(f"-{text}")]
        if not found:
            found = [run for run in known if self._made(run, text)]
        if len(found) == 1:
            return found[0]
        if found:
            raise NotFoundError(f"{text!r} could be any of {', '.join(found)}: give more of it")
        newest = ", ".join(known[:5]) or "none"
        raise NotFoundError(f"model {self.model} has no run {text!r}; the newest are {newest}")

    def _made(self, run: str, version: str) -> bool:
        read = self.read(run)
        return isinstance(read, RunRecord) and (read.version or "").startswith(version or "-")

    def _known(self, run: str) -> str:
        if _RUN.fullmatch(run) is None:
            raise NotFoundError(f"{run!r} is not the name of a run")
        return self._folder(run)

    def _folder(self, run: str = "") -> str:
        return f"runs/{self.model}/{run}".rstrip("/")
