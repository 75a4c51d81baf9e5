"""Every kind of output and input through the whole application, from body to log."""

from __future__ import annotations

import json

import jsonschema
import numpy as np
import pytest

from plumbline.bundle.inputs import input_bytes, inputs_hash
from plumbline.bundle.spec import OutputSpec
from plumbline.service.openapi import build_openapi
from plumbline.service.predictor import Predictor
from plumbline.service.settings import ServiceSettings
from plumbline.store.log import PredictionLog
from plumbline.store.objects import Objects
from plumbline.store.outcome import OutcomeLog
from plumbline.store.shipper import Shipper
from tests.support.bundles import choice_output, score_output, small_bundle, value_output
from tests.support.graphs import LOGS, bars, bars_bundle, several_bundle
from tests.support.served import MODEL, ask, body, promoted, window

DOCUMENT = build_openapi("1.0")
KINDS: dict[str, tuple[OutputSpec, ...]] = {
    "five classes": (choice_output(5),),
    "binary": (choice_output(2),),
    "eight members": (choice_output(members=8),),
    "forecast": (value_output(width=2, members=3),),
    "four horizons": tuple(value_output(name=f"r{h}") for h in (1, 6, 24, 120)),
    "cross-section": (score_output(members=2),),
    "choice and forecast": (choice_output(), value_output()),
}


@pytest.fixture
def serve(tmp_path):
    """Return a function that makes these a champion and gives the service's settings."""

    def make(made):
        url = (tmp_path / "store").as_uri()
        bundle = promoted(url, made=made)
        state = tmp_path / "state"
        return bundle, ServiceSettings(
            store=url, models=(MODEL,), state=state, poll_seconds=0.05, window_sample_ratio=1.0
        )

    return make


def logged(settings):
    """Ship what lies in the spools; return the rows and their whole inputs."""
    objects = Objects(settings.store)
    Shipper(settings.spool_folder, objects).ship()
    return PredictionLog(objects, MODEL).windows(1000)


def post(settings, *requests):
    """Return the answers to these requests, and the metrics after them."""

    async def scenario(client, worker):
        answers = [await client.post("/predict", json=request) for request in requests]
        return answers, (await client.get("/metrics")).text

    return ask(settings, scenario)


def as_documented(answer):
    """Check a good answer against the published document; return it."""
    assert answer.status_code == 200, answer.text
    operation = DOCUMENT["paths"]["/predict"]["post"]["responses"]["200"]
    schema = operation["content"]["application/json"]["schema"]
    jsonschema.Draft202012Validator({**DOCUMENT, **schema}).validate(answer.json())
    return answer.json()


def in_order(rows, answer):
    """Return the places of the log's rows in the order of an answer."""
    place = {name: i for i, name in enumerate(rows.prediction_id.tolist())}
    return [place[each["prediction_id"]] for each in answer["predictions"]]


@pytest.mark.parametrize("outputs", KINDS.values(), ids=KINDS)
def test_each_kind_is_answered_logged_and_counted_as_its_head_reads_it(serve, outputs):
    """The answer, the row and the sums are those of graph, heads and policy."""
    bundle, settings = serve(small_bundle(outputs=outputs))
    ((response,), metrics) = post(settings, body(1, 2, 3, 4))
    answer = as_documented(response)
    sent = np.array([window(i) for i in (1, 2, 3, 4)], np.float32)
    predictor = Predictor.load(bundle)
    predicted = predictor.predict({"features": sent})
    heads, calibrations = bundle.outputs.heads, bundle.outputs.calibrations
    decision = predicted.decision
    short = len(outputs) == 1 and outputs[0].kind == "choice"

    for i, each in enumerate(answer["predictions"]):
        wire = {
            name: heads[name].to_wire(reading, i, calibrations[name])
            for name, reading in predicted.readings.items()
        }
        said = {name: each[name] for name in ("probabilities", "confidence") if name in each}
        if short:
            (only,) = wire.values()
            assert said == {name: only[name] for name in ("probabilities", "confidence")}
            assert each.get("epistemic", 0.0) == only["epistemic"]
        else:
            assert each["outputs"] == json.loads(json.dumps(wire))
        taken = None if decision.action is None else bundle.manifest.actions[decision.action[i]]
        assert each["action"] == taken
        assert (each["position"], each["size"]) == (decision.position[i], decision.size[i])

    rows, inputs = logged(settings)
    order = in_order(rows, answer)
    np.testing.assert_array_equal(rows.raw[order], predicted.raw)
    centres = bundle.outputs.centres(predicted.readings)
    np.testing.assert_allclose(rows.centre[order], centres, rtol=1e-6)
    epistemics = bundle.outputs.epistemics(predicted.readings)
    np.testing.assert_allclose(rows.epistemic[order], epistemics, rtol=1e-5, atol=1e-9)
    assert [inputs[i] for i in order] == [row.tobytes() for row in sent]
    if decision.action is None:
        assert rows.action.tolist() == [-1] * 4
    check_counts(metrics, predictor, predicted)


def check_counts(metrics, predictor, predicted):
    """Compare every counter of the outputs with the readings."""
    series = dict(line.rsplit(" ", 1) for line in metrics.splitlines() if line[0] != "#")
    model, version = f'model="{MODEL}"', f'version="{predictor.version}"'
    assert float(series[f"plumbline_service_predictions_total{{{model},{version}}}"]) == len(
        predicted
    )
    counted = [name for name in series if name.startswith("plumbline_service_decisions_total{")]
    assert len(counted) == len(predictor.manifest.actions)
    for spec in predictor.manifest.outputs:
        reading = predicted.readings[spec.name]
        u = predictor.scales[spec.name].apply(reading.coordinates)
        for k, name in enumerate(spec.choices or (spec.kind,)):
            labels = f'{{coordinate="{name}",{model},output="{spec.name}",{version}}}'
            for sort, values in (
                ("positive", np.maximum(u, 0)),
                ("negative", np.maximum(-u, 0)),
                ("square", u**2),
            ):
                found = float(series[f"plumbline_service_output_{sort}_total{labels}"])
                assert found == pytest.approx(values[:, k].sum())
        labels = f'{{{model},output="{spec.name}",{version}}}'
        epistemic = float(series[f"plumbline_service_epistemic_total{labels}"])
        assert epistemic == pytest.approx(reading.epistemic.sum())
        assert (f"plumbline_service_entropy_nats_total{labels}" in series) == bool(spec.choices)
        assert (f"plumbline_service_confidence_ratio_count{labels}" in series) == bool(spec.choices)


def test_a_request_is_one_cross_section(serve):
    """Ranks are those within the request, its rows share a group, and no other request's do."""
    _, settings = serve(small_bundle(outputs=(score_output(),)))
    many = body(*range(70))
    (answers, _) = post(settings, many, body(*range(5)))
    first, second = (as_documented(each)["predictions"] for each in answers)
    scores = np.array([each["outputs"]["s6"]["score"] for each in first])
    ranks = np.array([each["outputs"]["s6"]["rank"] for each in first])
    rows, _ = logged(settings)
    groups = dict(zip(rows.prediction_id.tolist(), rows.group.tolist(), strict=True))
    one = {groups[each["prediction_id"]] for each in first}
    other = {groups[each["prediction_id"]] for each in second}

    np.testing.assert_array_equal(scores.argsort(), ranks.argsort())
    assert (ranks.min(), ranks.max()) == pytest.approx((0.625 / 70.25, 69.625 / 70.25))
    assert [len(one), len(other), len(one | other)] == [1, 1, 2]
    assert "" not in one | other


def test_a_cross_section_is_sampled_whole_or_not_at_all(serve):
    """A challenger could not rank half of one; about the share asked for is kept."""
    _, settings = serve(small_bundle(outputs=(score_output(),)))
    sampled = settings.model_copy(update={"window_sample_ratio": 0.3})
    post(sampled, *(body(*range(5)) for _ in range(60)))
    rows, windows = logged(sampled)
    _, counts = np.unique(rows.group, return_counts=True)

    assert 8 <= len(counts) <= 30
    assert set(counts.tolist()) == {5}
    assert len(windows) == len(rows)


def test_groups_of_a_request_do_not_mix(serve):
    """Each instance is ranked among those of its own group, in whatever order they come."""
    _, settings = serve(small_bundle(outputs=(score_output(),)))
    request = body(*range(12))
    for i, instance in enumerate(request["instances"]):
        instance["group"] = ("monday", "tuesday")[i % 2]
    alone = [{"instances": request["instances"][start::2]} for start in (0, 1)]
    ((together, *parts), _) = post(settings, request, *alone)
    mixed = as_documented(together)["predictions"]
    rows, _ = logged(settings)
    groups = dict(zip(rows.prediction_id.tolist(), rows.group.tolist(), strict=True))

    for start, part in enumerate(parts):
        assert [each["outputs"] for each in mixed[start::2]] == [
            each["outputs"] for each in as_documented(part)["predictions"]
        ]
    assert [groups[each["prediction_id"]] for each in mixed] == ["monday", "tuesday"] * 6


def test_equal_scores_hold_nothing(serve):
    """A cross-section of one question asked ten times has no best and no worst."""
    _, settings = serve(small_bundle(outputs=(score_output(),)))
    ((response,), _) = post(settings, body(*[1] * 10))
    predictions = as_documented(response)["predictions"]

    assert {each["outputs"]["s6"]["rank"] for each in predictions} == {0.5}
    assert {(each["position"], each["size"]) for each in predictions} == {(0.0, 0.0)}


def test_bars_are_judged_and_their_columns_logged(serve):
    """The row has what the graph has computed of the newest bar, and that bar's time."""
    bundle, settings = serve(bars_bundle())
    sent = bars(3, count=9)
    ((response, wrong), _) = post(settings, {"instances": [{"bars": sent}]}, body(1))
    (row,) = as_documented(response)["predictions"]
    rows, inputs = logged(settings)
    window_ = np.array([sent[-5:]])
    expected = Predictor.load(bundle).predict({"bars": window_})

    assert list(row["probabilities"].values()) == expected.readings["h6"].centre[0].tolist()
    np.testing.assert_allclose(rows.features, np.log(window_[:, -1, 1:5]), atol=1e-6)
    assert rows.bar_time.tolist() == [int(sent[-1][0] * 1e6)]
    assert inputs == [input_bytes(bundle.manifest.inputs, {"bars": window_}, 0)]
    assert rows.inputs_hash.tolist() == [inputs_hash(inputs[0])]
    assert (wrong.status_code, wrong.json()["error"]["code"]) == (422, "feature_mismatch")
    assert bundle.manifest.feature_names == LOGS


def test_a_double_that_no_float32_holds_is_refused_where_it_cannot_be_watched(serve):
    """Its own input takes it; the graph and the log do not, and nobody is warned of anything."""
    _, settings = serve(several_bundle())
    inputs = {"window": [[1.0, 2.0]] * 3, "extra": [1e39, 4.0]}
    ((response,), _) = post(settings, {"instances": [{"inputs": inputs}]})

    assert (response.status_code, response.json()["error"]["code"]) == (422, "non_finite_output")


def test_past_answers_are_remembered_per_symbol(serve):
    """The second question is told the first answer; a retry and a canary leave no mark."""
    _, settings = serve(several_bundle())
    inputs = {"window": [[1.0, 2.0]] * 3, "extra": [3.0, 4.0]}

    def asked(name, **fields):
        return {"instances": [{"inputs": inputs, "id": name, **fields}]}

    async def scenario(client, worker):
        async def answer(request, **headers):
            answered = as_documented(await client.post("/predict", json=request, headers=headers))
            return answered["predictions"][0]

        first = await answer(asked("a"))
        again = await answer(asked("a"))
        await answer(asked("x"), **{"plumbline-purpose": "canary"})
        second = await answer(asked("b"))
        other = await answer(asked("c", symbol="OTHER"))
        past = [[0.0, 0.0], [["SELL", "HOLD", "BUY"].index(first["action"]), first["position"]]]
        told = asked("d", symbol="TOLD")
        told["instances"][0]["inputs"] = {**inputs, "past": past}
        return first, again, second, other, await answer(told)

    first, again, second, other, told = ask(settings, scenario)

    assert first["probabilities"] == again["probabilities"] == other["probabilities"]
    assert second["probabilities"] == told["probabilities"] != first["probabilities"]


def test_models_describes_bars_and_outputs(serve):
    """How many bars, which columns they become, which actions there are."""
    _, settings = serve(bars_bundle())

    async def scenario(client, worker):
        return (await client.get("/models")).json()["models"][0]

    model = ask(settings, scenario)

    assert [(i["name"], i["source"], i["bars_needed"]) for i in model["inputs"]] == [
        ("bars", "bars", 5)
    ]
    assert model["features"] == list(LOGS)
    assert model["actions"] == ["SELL", "HOLD", "BUY"]


def test_outcomes_belong_to_an_output(serve):
    """The primary one if none is named; a value has no label."""
    _, settings = serve(small_bundle(outputs=(value_output(), choice_output())))
    good = [
        {"prediction_id": "a", "value": 0.01},
        {"prediction_id": "a", "output": "h6", "label": "BUY"},
    ]

    async def scenario(client, worker):
        taken = await client.post("/outcomes", json={"outcomes": good})
        bad = {"outcomes": [{"prediction_id": "a", "label": "BUY"}]}
        return taken.json(), await client.post("/outcomes", json=bad)

    taken, refused = ask(settings, scenario)
    logged(settings)
    found = OutcomeLog(Objects(settings.store), MODEL).read()

    assert taken == {"accepted": 2}
    assert found.output.tolist() == ["h6", "r6"]
    assert found.label.tolist() == ["BUY", ""]
    assert refused.status_code == 422
    assert "output r6 is a value without choices" in refused.json()["error"]["message"]


def test_outcomes_wait_for_a_model_unless_they_name_their_output(tmp_path):
    """Without a loaded model nobody knows which output is meant."""
    url = (tmp_path / "store").as_uri()
    settings = ServiceSettings(store=url, models=(MODEL,), state=tmp_path / "s", poll_seconds=0.05)

    async def scenario(client, worker):
        outcome = {"prediction_id": "a", "value": 0.01}
        return [
            await client.post("/outcomes", json={"outcomes": [sent]})
            for sent in (outcome, {**outcome, "output": "r6"})
        ]

    nameless, named = ask(settings, scenario)

    assert (nameless.status_code, nameless.json()["error"]["code"]) == (503, "model_unavailable")
    assert named.json() == {"accepted": 1}
