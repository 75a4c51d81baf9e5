"""Strict decoding: what is no number is refused, what has another shape is told the right one."""

from __future__ import annotations

import json

import pytest

from plumbline.service.errors import MalformedJsonError, RequestRejectedError
from plumbline.service.schema import OUTCOMES, PREDICT, PredictRequest, microseconds
from tests.support.served import body, window


def decode(**fields: object) -> PredictRequest:
    """Decode a request of one good instance with these fields changed."""
    return PREDICT.decode(json.dumps({**body(0), **fields}).encode())


@pytest.mark.parametrize(
    "text",
    [
        b"",
        b"{",
        b"\xef\xbb\xbf{}",
        b'{"instances":[{"features":[[NaN]]}]}',
        b'{"instances":[{"features":[[-Infinity]]}]}',
        b'{"instances":[{"features":[[1]],"id":"\xff"}]}',
        b'{"instances":[{"features":[[1]],"id":"\\ud800"}]}',
        b'{"instances":[{"features":[[1]]}]} {}',
        b'{"instances":[{"features":[[01]]}]}',
    ],
)
def test_what_is_not_json_is_refused_as_such(text):
    """Python's own parser would have taken some of these."""
    with pytest.raises(MalformedJsonError, match="not JSON"):
        PREDICT.decode(text)


@pytest.mark.parametrize(
    ("text", "culprit"),
    [
        (b"[]", "Expected `object`"),
        (b"null", "Expected `object`"),
        (b"[" * 100_000, "Expected `object`"),
        (b'{"deep":' + b"[" * 100_000, "unknown field `deep`"),
        (b'{"instances":[]}', "length >= 1"),
        (b'{"instances":[{"features":[["1.5"]]}]}', r"\$.instances\[0\].features\[0\]\[0\]"),
        (b'{"instances":[{"features":[[true]]}]}', "got `bool`"),
        (b'{"instances":[{"features":[[null]]}]}', "got `null`"),
        (b'{"instances":[{"features":[[1e999]]}]}', "out of range"),
        (b'{"instances":[{"features":[[1' + b"0" * 400 + b"]]}]}", "out of range"),
        (b'{"instances":[{"features":[[1]],"weight":1}]}', "unknown field `weight`"),
        (b'{"instances":[{"features":[[[1]]]}]}', "got `array`"),
        (b'{"instances":[{"bars":[[true,1,1,1,1,1]]}]}', r"\$.instances\[0\].bars\[0\]\[0\]"),
        (b'{"instances":[{"inputs":[[1]]}]}', "Expected `object"),
        (b'{"instances":[{"inputs":{"x":["1"]}}]}', r"\$.instances\[0\].inputs\[...\]\[0\]"),
        (b'{"instances":[{"features":[[1]],"group":""}]}', "length >= 1"),
        (b'{"instances":[{"features":[[1]],"id":""}]}', "length >= 1"),
        (b'{"instances":[{"features":[[1]],"id":"' + b"x" * 129 + b'"}]}', "length <= 128"),
        (b'{"instances":[{"features":[[1]],"symbol":"a\\nb"}]}', "matching regex"),
        (b'{"instances":[{"features":[[1]],"time":"2020-01-01T00:00:00"}]}', "timezone"),
        (b'{"instances":[{"features":[[1]],"time":1577836800}]}', r"instances\[0\].time"),
    ],
)
def test_json_of_another_shape_is_refused_with_its_place(text, culprit):
    """The message has the path, and an example of what would do comes with it."""
    with pytest.raises(RequestRejectedError, match=culprit) as refused:
        PREDICT.decode(text)

    assert refused.value.expected == {
        "instances": [{"features": [["<number>, one per feature"], "…one per step"]}]
    }


def test_long_names_are_not_repeated_in_full():
    """A message does not give back a megabyte of what was sent."""
    with pytest.raises(RequestRejectedError) as refused:
        PREDICT.decode(b'{"' + b"x" * 100_000 + b'":1}')

    assert len(refused.value.message) < 400


def test_the_last_of_repeated_keys_counts():
    """JSON leaves this open; we say what we do."""
    decoded = PREDICT.decode(b'{"model":"a","model":"b","instances":[{"features":[[1]]}]}')

    assert decoded.model == "b"


def test_times_are_microseconds_in_utc():
    """The offset is applied; years no reader can hold are refused."""
    decoded = decode(instances=[{"features": window(0), "time": "1970-01-01T01:00:00.5+01:00"}])
    early = decode(instances=[{"features": window(0), "time": "0001-01-01T00:00:00+23:59"}])

    assert microseconds(decoded.instances[0].time, "time") == 500_000
    with pytest.raises(RequestRejectedError, match="time is 0001"):
        microseconds(early.instances[0].time, "time")


def test_an_instance_may_say_what_it_is_in_three_ways():
    """Columns over time or of one moment, bars with times as texts or numbers, inputs by name."""
    decoded = decode(
        instances=[
            {"features": [[1, 2], [3, 4]]},
            {"features": [1, 2]},
            {"bars": [["2020-01-01T00:00:00Z", 1, 1, 1, 1, 1], [1577840400, 1, 1, 1, 1, 1]]},
            {"inputs": {"a": [[1.0]], "b": [1.0]}, "group": "2020-01-01"},
        ]
    )

    assert [each.features for each in decoded.instances[:2]] == [[[1, 2], [3, 4]], [1, 2]]
    assert decoded.instances[2].bars[0][0] == "2020-01-01T00:00:00Z"
    assert decoded.instances[3].inputs == {"a": [[1.0]], "b": [1.0]}


def test_an_outcome_needs_its_prediction():
    """Everything else about an outcome is optional."""
    with pytest.raises(RequestRejectedError, match="prediction_id"):
        OUTCOMES.decode(b'{"outcomes":[{"label":"BUY"}]}')
