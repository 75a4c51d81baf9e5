"""What a client sends, what it asks again, and what it makes of what comes."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import httpx
import numpy as np
import pytest

from plumbline.bundle.finding import Verdict
from plumbline.client import (
    ChoiceOutput,
    Instance,
    OtherOutput,
    Outcome,
    ProtocolError,
    RejectedError,
    Retry,
    ScoreOutput,
    UnavailableError,
    UnreachableError,
    ValueOutput,
)
from plumbline.client.exchange import Asking, Sending

SHORT = {
    "prediction_id": "a1",
    "action": "BUY",
    "position": 1.0,
    "size": 0.02,
    "confidence": 0.6,
    "probabilities": {"SELL": 0.1, "HOLD": 0.3, "BUY": 0.6},
}
ANSWER = {"model": "m", "version": "v", "verdict": "healthy", "predictions": [SHORT]}


def asking(**fields: Any) -> Asking:
    """Return a client's state with seeded pauses."""
    given = {"model": None, "features_hash": None, "retry": Retry(attempts=3)} | fields
    return Asking(**given, rng=np.random.default_rng(0))


def said(status: int, content: object = None, **headers: str) -> httpx.Response:
    """Return an answer of a service."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    request = httpx.Request("POST", "http://service/predict")
    return httpx.Response(status, json=content, headers=named, request=request)


def run(steps: Any, *answers: Any) -> tuple[Any, list[Sending], list[float]]:
    """Drive an exchange with these answers; return its result, what was sent, and the pauses."""
    left, calls, pauses = list(answers), [], []
    came: Any = None
    while True:
        try:
            step = steps.send(came)
        except StopIteration as end:
            return end.value, calls, pauses
        if isinstance(step, Sending):
            calls.append(step)
            came = left.pop(0)
        else:
            pauses.append(step)
            came = None


def refused(answers: list[Any], error: type[Exception], match: str) -> Exception:
    """Return the error that these answers end in."""
    with pytest.raises(error, match=match) as caught:
        run(asking().predict([Instance([[1.0]])]), *answers)
    return caught.value


LOST = [
    httpx.ReadError("reset"),
    httpx.ConnectError("refused"),
    httpx.ReadTimeout("slow"),
    httpx.RemoteProtocolError("disconnected"),
]


@pytest.mark.parametrize("lost", [*LOST, said(503), said(502), said(504)])
def test_a_lost_answer_is_asked_for_with_the_same_bytes(lost):
    """Id and group included, so that the service records the same row of the same group."""
    found, calls, pauses = run(
        asking().predict([Instance([[1.0]]), Instance([[2.0]])]),
        lost,
        said(200, ANSWER | {"predictions": [SHORT, SHORT]}),
    )
    wire = json.loads(calls[0].body or b"")["instances"]

    assert len(found) == 2
    assert calls[0] == calls[1]
    assert len(pauses) == 1
    assert len({each["id"] for each in wire}) == 2
    assert len({each["group"] for each in wire}) == 1


def test_two_questions_have_two_ids():
    """The same row asked about twice is two rows, unless the caller gives the id."""
    calls = [run(asking().predict([Instance([1.0])]), said(200, ANSWER))[1][0] for _ in range(2)]
    ids = [json.loads(call.body or b"")["instances"][0]["id"] for call in calls]
    own = run(asking().predict([Instance([1.0], id="mine")]), said(200, ANSWER))[1][0]

    assert ids[0] != ids[1]
    assert json.loads(own.body or b"")["instances"][0]["id"] == "mine"


def test_attempts_are_bounded():
    """Three attempts without an answer are the end of it."""
    error = refused([LOST[0]] * 3, UnreachableError, "no answer to POST /predict in 3 attempts")
    asked = asking(url="http://there:3000").predict([Instance([1.0])])

    assert isinstance(error.__cause__, httpx.ReadError)
    with pytest.raises(UnreachableError, match="is a service listening at http://there:3000"):
        run(asked, *[LOST[0]] * 3)


def test_a_service_that_stays_busy_is_unavailable():
    """The last 503 says why."""
    content = {"error": {"code": "log_unavailable", "message": "the disk is full"}}
    error = refused([said(503, content)] * 3, UnavailableError, "503 log_unavailable: the disk")

    assert isinstance(error, UnavailableError)
    assert (error.status, error.code, error.message) == (503, "log_unavailable", "the disk is full")


@pytest.mark.parametrize("status", [400, 401, 404, 408, 413, 422, 429])
def test_a_refusal_is_never_repeated(status):
    """One attempt; the error carries code, message and what was expected."""
    content = {"error": {"code": "feature_mismatch", "message": "no", "expected": {"features": 4}}}
    error = refused([said(status, content)], RejectedError, f"{status} feature_mismatch: no")

    assert isinstance(error, RejectedError)
    assert (error.status, error.code, error.expected) == (
        status,
        "feature_mismatch",
        {"features": 4},
    )


def test_an_error_of_the_service_is_not_repeated():
    """500 is a mistake of the service, which the same request would meet again."""
    refused(
        [said(500, {"error": {"code": "internal_error", "message": "x"}})], UnavailableError, "500"
    )


def test_a_refusal_by_somebody_else_is_quoted():
    """A gateway's page has no code: the status is one, the text is shown."""
    page = httpx.Response(403, text="<h1>Forbidden</h1>", request=httpx.Request("POST", "http://x"))
    refused([page], RejectedError, "403 http_403: '<h1>Forbidden")


@pytest.mark.parametrize(
    ("content", "match"),
    [
        ({"predictions": []} | {"model": "m"}, "1 instances were asked about, 0 answered"),
        (ANSWER | {"verdict": "unheard_of"}, "KeyError: 'unheard_of'"),
        ({}, "KeyError: 'predictions'"),
        ([], "expected a JSON object"),
    ],
)
def test_what_is_no_answer_is_said_to_be_none(content, match):
    """An answer of another software is not taken for a prediction."""
    refused([said(200, content)], ProtocolError, match)


def test_a_redirect_is_no_answer():
    """A prediction is not sent on to wherever an answer points."""
    refused([said(307)], ProtocolError, "got status 307")


def test_pauses_double_up_to_the_most_and_add_what_is_asked():
    """Full jitter below 0.2, 0.4, 0.8 …; Retry-After, up to the most, comes on top."""
    retry = Retry(attempts=9, first_seconds=0.2, most_seconds=1.0)

    assert [retry.pause(n, 0.0, 1.0) for n in (1, 2, 3, 4, 5)] == [0.2, 0.4, 0.8, 1.0, 1.0]
    assert retry.pause(1, 0.0, 0.0) == 0.0
    assert retry.pause(1, 0.5, 0.5) == 0.6
    assert retry.pause(1, 3600.0, 0.0) == 1.0


def test_retry_after_is_heeded():
    """The pause is at least what the service asks for; a date there is passed over."""
    _, _, pauses = run(
        asking().predict([Instance([1.0])]),
        said(503, retry_after="2"),
        said(503, retry_after="Wed, 21 Oct 2026 07:28:00 GMT"),
        said(200, ANSWER),
    )

    assert 2.0 <= pauses[0] < 2.2
    assert pauses[1] < 0.4


@pytest.mark.parametrize("values", [{"attempts": 0}, {"first_seconds": 2.0, "most_seconds": 1.0}])
def test_senseless_retries_are_refused(values):
    """No attempt at all, or a first pause above the most."""
    with pytest.raises(ValueError, match="expected an attempt or more"):
        Retry(**values)


def test_the_short_form_is_read():
    """One choice: probabilities, and no named outputs."""
    (found,), _, _ = run(asking().predict([Instance([1.0])]), said(200, ANSWER))

    assert (found.action, found.size, found.confidence) == ("BUY", 0.02, 0.6)
    assert (found.model, found.version, found.verdict) == ("m", "v", Verdict.HEALTHY)
    assert found.outputs == {}


def test_outputs_are_read_by_kind():
    """Each kind has its type; one that a plug-in brings keeps what was said."""
    outputs = {
        "h6": {
            "kind": "choice",
            "probabilities": {"DOWN": 0.4, "UP": 0.6},
            "confidence": 0.6,
            "epistemic": 0.01,
        },
        "r6": {
            "kind": "value",
            "mean": 0.1,
            "deviation": 0.2,
            "interval": [-0.2, 0.4],
            "epistemic": 0.0,
        },
        "s6": {"kind": "score", "score": 2.0, "rank": 0.9, "expected": 0.01, "epistemic": 0.0},
        "q6": {"kind": "quantile", "low": 1.0},
    }
    one = {"prediction_id": "a", "action": None, "position": 0.5, "size": 1.0, "outputs": outputs}
    answer = ANSWER | {"predictions": [one]}
    (found,), _, _ = run(asking().predict([Instance([1.0])]), said(200, answer))

    assert found.outputs == {
        "h6": ChoiceOutput({"DOWN": 0.4, "UP": 0.6}, 0.6, 0.01),
        "r6": ValueOutput(0.1, 0.2, (-0.2, 0.4), 0.0),
        "s6": ScoreOutput(2.0, 0.9, 0.01, 0.0),
        "q6": OtherOutput("quantile", {"low": 1.0}),
    }
    assert found.probabilities == {"DOWN": 0.4, "UP": 0.6}


def test_everything_a_caller_says_is_on_the_wire():
    """Arrays of any kind of number, times of any kind, names."""
    bars = [[datetime(2017, 6, 1, tzinfo=UTC), 1, 2, 0.5, 1.5, np.float32(10)]]
    _, (call,), _ = run(
        asking(model="m", features_hash="f00").predict(
            [
                Instance(np.ones((2, 3), np.float32), time=np.datetime64("2017-06-01T12:00")),
                Instance(bars=bars, symbol="EURUSD", time="2017-06-01T00:00:00Z"),
                {"inputs": {"x": np.arange(2)}, "group": "g", "id": "i"},
            ]
        ),
        said(200, ANSWER | {"predictions": [SHORT] * 3}),
    )
    body = json.loads(call.body or b"")
    first, second, third = body["instances"]

    assert (body["model"], body["features_hash"]) == ("m", "f00")
    assert first["features"] == [[1.0, 1.0, 1.0]] * 2
    assert first["time"] == "2017-06-01T12:00:00.000000Z"
    assert second["bars"] == [["2017-06-01T00:00:00+00:00", 1.0, 2.0, 0.5, 1.5, 10.0]]
    assert second["symbol"] == "EURUSD"
    assert (third["inputs"], third["group"], third["id"]) == ({"x": [0.0, 1.0]}, "g", "i")


@pytest.mark.parametrize(
    ("values", "match"),
    [
        ({"features": [[1.0, float("nan")]]}, r"instances\[0\].features\[0\]\[1\] is nan"),
        ({"features": [[1.0], [1.0, 2.0]]}, "expected rows of the same length"),
        ({"features": [["1"]]}, "expected numbers, found <U1"),
        ({"inputs": {"x": [float("inf")]}}, r"instances\[0\].inputs.x\[0\] is inf"),
        ({"bars": [["2017-06-01", 1, 2, 0, None, 1]]}, r"bars\[0\]: expected numbers"),
        ({"time": datetime(2017, 6, 1)}, "without a zone"),
    ],
)
def test_what_cannot_be_sent_is_refused_by_name(values, match):
    """Before anything is sent, with the place in the request."""
    with pytest.raises(ValueError, match=match):
        run(asking().predict([values]))


def test_outcomes_are_sent_as_they_are_said():
    """Only what is known; times as text."""
    steps = asking().outcomes(
        [
            Outcome("a", label="BUY", known_at=datetime(2017, 6, 1, tzinfo=UTC)),
            {"prediction_id": "b", "value": 0.5, "output": "r6"},
        ]
    )
    found, (call,), _ = run(steps, said(200, {"accepted": 2}))

    assert found == 2
    assert json.loads(call.body or b"") == {
        "outcomes": [
            {"prediction_id": "a", "label": "BUY", "known_at": "2017-06-01T00:00:00+00:00"},
            {"prediction_id": "b", "value": 0.5, "output": "r6"},
        ]
    }


@pytest.mark.parametrize(
    ("came", "expected"), [(said(200), True), (said(503), False), (LOST[1], False)]
)
def test_readiness_is_asked_once(came, expected):
    """No answer is no readiness, not an error."""
    found, calls, pauses = run(asking().ready(), came)

    assert (found, len(calls), pauses) == (expected, 1, [])
