"""A challenger answers after the champion has, and no client can tell."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import numpy as np
import pytest

from plumbline.bundle import purpose
from plumbline.service.backends.base import Ran
from plumbline.service.judged import sampled_rows
from plumbline.service.predictor import Predictor
from plumbline.service.settings import ServiceSettings
from plumbline.service.shadow import PENDING_ROWS, QUEUE_ROWS
from plumbline.store.log import PredictionLog
from plumbline.store.objects import Objects
from plumbline.store.prediction import SHADOWS
from plumbline.store.registry import CHALLENGER, ModelRegistry
from plumbline.store.shipper import Shipper
from tests.support.bundles import score_output, small_bundle
from tests.support.served import MODEL, ask, body, promoted, window


@pytest.fixture
def always(settings: ServiceSettings) -> ServiceSettings:
    """A service that shows every row to the challenger."""
    return settings.model_copy(update={"shadow_ratio": 1.0, "window_sample_ratio": 0.0})


def challenged(settings: ServiceSettings, made=None) -> str:
    """Put a version in shadow."""
    registry = ModelRegistry(Objects(settings.store), MODEL)
    bundle = registry.write(*(made or small_bundle(MODEL, seed=7)))
    registry.promote(bundle.version, actor="test", reason="test", alias=CHALLENGER)
    return bundle.version


def logged(settings: ServiceSettings):
    """Return the rows of the log, and those of the shadow."""
    objects = Objects(settings.store)
    Shipper(settings.spool_folder, objects).ship()
    return PredictionLog(objects, MODEL).read(), PredictionLog(objects, MODEL, table=SHADOWS).read()


def series(page: str) -> dict[str, float]:
    """Read a metrics page."""
    lines = (line.rsplit(" ", 1) for line in page.splitlines() if not line.startswith("#"))
    return {name: float(value) for name, value in lines}


async def counted(client, **least: float) -> dict[str, float]:
    """Read the metrics, until the sums of some have come as far as they must."""
    for _ in range(400):
        found = series((await client.get("/metrics")).text)
        sums = {
            name: sum(value for label, value in found.items() if label.startswith(f"{name}{{"))
            for name in least
        }
        if all(sums[name] >= least[name] for name in least):
            return found
        await asyncio.sleep(0.01)
    raise AssertionError(f"never came to be: {sums}")


def test_the_challenger_is_asked_the_same_and_its_answer_is_logged_apart(always):
    """Same ids, inputs and bars, its own version and numbers; the client hears the champion."""
    version = challenged(always)

    async def scenario(client, worker):
        request = body(1, 2, 3, symbol="EURUSD", time="2017-06-01T12:00:00Z")
        answer = (await client.post("/predict", json=request)).json()
        return answer, await counted(client, plumbline_service_shadow_predictions_total=3)

    answer, metrics = ask(always, scenario)
    given, shadow = logged(always)
    bundle = ModelRegistry(Objects(always.store), MODEL).open(version)
    windows = np.array([window(seed) for seed in (1, 2, 3)], np.float32)
    expected = Predictor.load(bundle).predict({"features": windows})
    ids = [each["prediction_id"] for each in answer["predictions"]]
    order = [shadow.prediction_id.tolist().index(name) for name in ids]

    assert answer["version"] != version
    assert set(given.version) == {answer["version"]}
    assert set(shadow.version) == {version}
    np.testing.assert_allclose(shadow.raw[order], expected.raw, rtol=1e-5)
    assert shadow.action[order].tolist() == expected.decision.action.tolist()
    for name in ("symbol", "bar_time", "inputs_hash"):
        assert sorted(getattr(given, name)) == sorted(getattr(shadow, name))
    answered = [name for name in metrics if name.startswith("plumbline_service_predictions_total{")]
    assert [metrics[name] for name in answered] == [3.0]
    assert metrics['plumbline_service_spooled_rows_total{table="predictions"}'] == 3.0
    assert metrics[f'plumbline_service_swaps_total{{model="{MODEL}",result="accepted"}}'] == 1.0
    assert (
        metrics[f'plumbline_service_shadow_swaps_total{{model="{MODEL}",result="accepted"}}'] == 1.0
    )


def test_without_a_challenger_nothing_is_done_after_an_answer(always):
    """The request path asks one question, and the thread sleeps."""

    async def scenario(client, worker):
        await client.post("/predict", json=body(1))
        return worker.shadow._queue, worker.shadow._wanted.is_set()

    queue, awake = ask(always, scenario)

    assert (len(queue), awake) == (0, False)
    assert len(logged(always)[1]) == 0


def test_a_retired_challenger_is_asked_no_more(always):
    """From the next poll on."""
    challenged(always)

    async def scenario(client, worker):
        await client.post("/predict", json=body(1))
        await counted(client, plumbline_service_shadow_predictions_total=1)
        ModelRegistry(Objects(always.store), MODEL).retire(actor="test", reason="test")
        await asyncio.to_thread(worker.shadow.poll)
        await client.post("/predict", json=body(2))
        await asyncio.sleep(0.2)

    ask(always, scenario)
    given, shadow = logged(always)

    assert (len(given), len(shadow)) == (2, 1)


def test_a_canary_is_not_shown(always):
    """It is not logged either."""
    challenged(always)

    async def scenario(client, worker):
        headers = {purpose.HEADER: purpose.CANARY}
        canary = await client.post("/predict", json=body(1), headers=headers)
        await client.post("/predict", json=body(2))
        await counted(client, plumbline_service_shadow_predictions_total=1)
        await asyncio.sleep(0.1)
        return canary.status_code

    assert ask(always, scenario) == 200
    assert [len(rows) for rows in logged(always)] == [1, 1]


class _Broken:
    """A runtime that breaks at every row, as one does whose device has gone."""

    device = "cpu"

    def run(self, inputs):
        raise RuntimeError(f"the device has gone before {len(inputs)} inputs")


class _Silent:
    """A graph whose numbers are none."""

    device = "cpu"

    def run(self, inputs):
        return Ran(np.full((len(inputs["features"]), 3), np.nan, np.float32), None)


@pytest.mark.parametrize("backend", [_Broken(), _Silent()])
def test_a_challenger_that_cannot_answer_says_so_in_the_log(always, backend):
    """Its rows are there, and no number of theirs is finite; the clients notice nothing."""
    challenged(always)

    async def scenario(client, worker):
        slot = worker.shadow._slots[MODEL]
        slot.serving = replace(
            slot.serving, predictor=replace(slot.serving.predictor, backend=backend)
        )
        answer = await client.post("/predict", json=body(1, 2))
        await counted(client, plumbline_service_shadow_predictions_total=2)
        return answer.status_code

    assert ask(always, scenario) == 200
    given, shadow = logged(always)

    assert np.isfinite(given.raw).all()
    assert not np.isfinite(shadow.raw).any()
    assert shadow.size.tolist() == [0.0, 0.0]
    assert sorted(shadow.prediction_id) == sorted(given.prediction_id)


def test_what_finds_the_queue_full_is_dropped_and_counted(always):
    """A crowd waits for nothing; few rows are ever held."""
    challenged(always)
    rows = QUEUE_ROWS // 2

    async def scenario(client, worker):
        requests = [body(*range(i, i + rows)) for i in range(0, 8 * rows, rows)]
        answers = await asyncio.gather(*(client.post("/predict", json=one) for one in requests))
        least = {
            "plumbline_service_shadow_predictions_total": rows,
            "plumbline_service_shadow_dropped_total": rows,
        }
        return answers, await counted(client, **least)

    answers, metrics = ask(always, scenario)
    dropped = metrics[f'plumbline_service_shadow_dropped_total{{model="{MODEL}",reason="busy"}}']

    assert {answer.status_code for answer in answers} == {200}
    assert 0 < dropped <= 7 * rows
    assert dropped % rows == 0


def test_the_disk_is_left_to_the_clients_when_it_fills(always):
    """Rows that wait to be shipped are those somebody was answered with."""
    challenged(always)

    async def scenario(client, worker):
        worker.shadow._log.pending = PENDING_ROWS + 1
        await client.post("/predict", json=body(1))
        return await counted(client, plumbline_service_shadow_dropped_total=1)

    metrics = ask(always.model_copy(update={"poll_seconds": 60.0}), scenario)

    assert (
        metrics[f'plumbline_service_shadow_dropped_total{{model="{MODEL}",reason="log_behind"}}']
        == 1.0
    )


def test_a_challenger_of_other_inputs_is_not_asked(always):
    """What was built for the champion would mean something else to it."""
    challenged(always, small_bundle(MODEL, seed=7, features=5))

    async def scenario(client, worker):
        await client.post("/predict", json=body(1))
        return await counted(client, plumbline_service_shadow_dropped_total=1)

    metrics = ask(always, scenario)

    assert (
        metrics[f'plumbline_service_shadow_dropped_total{{model="{MODEL}",reason="other_inputs"}}']
        == 1.0
    )


def test_a_cross_section_is_shown_whole_or_not_at_all(tmp_path):
    """Half of one could not be ranked; about the share asked for is shown."""
    url = (tmp_path / "store").as_uri()
    promoted(url, made=small_bundle(MODEL, outputs=(score_output(),)))
    settings = ServiceSettings(
        store=url, models=(MODEL,), state=tmp_path / "state", poll_seconds=0.05, shadow_ratio=0.5
    )
    challenged(settings, small_bundle(MODEL, outputs=(score_output(),), seed=7))

    async def scenario(client, worker):
        for seed in range(40):
            await client.post("/predict", json=body(*range(seed, seed + 5)))
        await counted(client, plumbline_service_shadow_predictions_total=50)
        await asyncio.sleep(0.2)

    ask(settings, scenario)
    given, shadow = logged(settings)
    _, counts = np.unique(shadow.group, return_counts=True)

    assert set(counts.tolist()) == {5}
    assert 8 <= len(counts) <= 32
    assert set(shadow.prediction_id) <= set(given.prediction_id)


def test_a_smaller_sample_lies_within_a_larger():
    """So the windows that are kept are those of rows that a challenger answered too."""
    ids = [f"{number:08x}" for number in np.random.default_rng(0).integers(0, 2**32, 500)]
    groups = [f"g{number // 5}" for number in range(500)]
    for group in ([], groups):
        few, many = (sampled_rows(ids, group, round(ratio * 2**32)) for ratio in (0.1, 0.5))

        assert 0 < sum(few) < sum(many) < 500
        assert all(more for less, more in zip(few, many, strict=True) if less)
