"""A verdict nobody has heard of: a module brings it, and everybody who is told of it repeats it."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any, ClassVar

import httpx
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from plumbline.bundle.errors import FormatError
from plumbline.bundle.finding import Diagnosis
from plumbline.bundle.verdict import OWN_VERDICTS, Facts, Remedy, Side, verdict_named
from plumbline.diagnosis.case import Case
from plumbline.diagnosis.ruling import Ruling
from plumbline.diagnosis.verdicts.base import OwnVerdict
from plumbline.store.board import Bulletin, verdict_board
from plumbline.store.objects import Objects
from tests.support.bundles import START
from tests.support.served import MODEL, body, promoted, serving

SOURCE = """
from typing import ClassVar

import numpy as np

from plumbline.bundle.verdict import OWN_VERDICTS, Facts, Remedy, Side
from plumbline.diagnosis.case import Case
from plumbline.diagnosis.ruling import Ruling
from plumbline.diagnosis.verdicts.base import OwnVerdict


@OWN_VERDICTS.register("timid")
class Timid(OwnVerdict):
    "Never sure of anything."

    name: ClassVar[str] = "timid"
    before: ClassVar[str] = "no_signal"
    facts: ClassVar[Facts] = Facts(
        side=Side.MODEL, remedy=Remedy.CALL, meaning="It is never sure.", doing="Ask its maker."
    )

    def rule(self, case: Case) -> Ruling:
        sure = case.confidence
        holds = sure is not None and len(sure) > 50 and bool(np.max(sure) < 0.5)
        return Ruling(holds, "No answer is more likely than not.")
"""


class Timid(OwnVerdict):
    """The same, for this process to write the monitor's word with."""

    name: ClassVar[str] = "timid"
    before: ClassVar[str] = "no_signal"
    facts: ClassVar[Facts] = Facts(side=Side.MODEL, remedy=Remedy.CALL, meaning="x", doing="y")

    def rule(self, case: Case) -> Ruling:
        """Never hold."""
        del case
        return Ruling(False)


@pytest.fixture
def module(tmp_path: Path) -> Path:
    """The stranger's module."""
    path = tmp_path / "timid.py"
    path.write_text(SOURCE)
    return path


@pytest.fixture
def predictions(tmp_path: Path) -> Path:
    """A file of answers that vary, and are never sure."""
    p = np.random.default_rng(0).dirichlet((60, 60, 60), 400)
    table = {f"probability_{name}": p[:, i] for i, name in enumerate(("SELL", "HOLD", "BUY"))}
    path = tmp_path / "predictions.parquet"
    pq.write_table(pa.table(table), path)
    return path


def test_it_decides_before_the_one_it_names(module: Path, predictions: Path) -> None:
    """By the command, whose exit code says that it is not a sound one."""
    command = [sys.executable, "-P", "-m", "plumbline.cli.main", "diagnose", "predictions"]
    command += [str(predictions), "--json", "--plugin", str(module)]
    command += ["--store", module.parent.joinpath("none").as_uri()]
    told = subprocess.run(command, check=False, capture_output=True, text=True, timeout=60)

    assert told.returncode == 1, told.stderr
    diagnosis = json.loads(told.stdout)["diagnosis"]
    assert (diagnosis["verdict"], diagnosis["remedy"]) == ("timid", "call")


def test_a_service_that_was_told_of_it_repeats_it_and_holds_back_sizes(
    module: Path, tmp_path: Path
) -> None:
    """The monitor's word is a name in the store; the facts come with the module."""
    store = (tmp_path / "store").as_uri()
    bundle = promoted(store)
    with (
        OWN_VERDICTS.instead({"timid": Timid}),
        serving(tmp_path, PLUMBLINE_PLUGINS=str(module)) as served,
    ):
        said = Diagnosis(verdict=verdict_named("timid"), cause="a test", n=1)
        word = Bulletin(version=bundle.version, diagnosis=said, time=START, rows=1)
        verdict_board(Objects(store), MODEL).advance(word, after=0)

        answers: list[dict[str, Any]] = []

        def told() -> bool:
            """Of two workers one is told before the other: the sizes are those of one answer."""
            answers.append(httpx.post(f"{served.url}/predict", json=body(1)).json())
            return bool(answers[-1]["verdict"] == "timid")

        served.wait_until(told)
        sizes = [each["size"] for each in answers[-1]["predictions"]]

    assert sizes == [0.0]


def test_an_unknown_verdict_is_refused() -> None:
    """Rather than believed to be harmless."""
    text = '{"verdict": "unheard_of", "cause": "x", "n": 1}'

    with pytest.raises(FormatError, match="verdict"):
        Diagnosis.from_json(text)
