"""Strict decoding: what is no number is refused, what has another shape is told the right one."""

from __future__ import annotations

import json

import numpy as np
import pytest

from plumbline.service.errors import (
    FeatureMismatchError,
    MalformedJsonError,
    NonFiniteFeaturesError,
    RequestRejectedError,
)
from plumbline.service.schema import OUTCOMES, PREDICT, PredictRequest, build_windows, microseconds
from tests.support.bundles import small_bundle
from tests.support.served import body, window

MANIFEST, _ = small_bundle()


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


def test_windows_come_out_as_they_went_in():
    """Rows, steps and features keep their order; integers are numbers too."""
    sent = [window(1), window(2)]
    sent[1][0][0] = 7
    windows = build_windows(decode(instances=[{"features": rows} for rows in sent]), MANIFEST)

    assert windows.dtype == np.float32
    assert windows.tolist() == np.array(sent, np.float32).tolist()


@pytest.mark.parametrize(
    ("features", "message"),
    [
        (window(0)[:2], "has 2 steps, expected 3"),
        (window(0) + window(1), "has 6 steps, expected 3"),
        ([], "has 0 steps, expected 3"),
        ([row[:3] for row in window(0)], r"features\[0\] has 3 numbers, expected 4"),
        ([*window(0)[:2], [1.0] * 5], r"features\[2\] has 5 numbers, expected 4"),
        ([[], [], []], r"features\[0\] has 0 numbers"),
    ],
)
def test_another_shape_is_never_padded(features, message):
    """Too short, too long, too narrow, ragged: refused, with the shape that was expected."""
    with pytest.raises(FeatureMismatchError, match=message) as refused:
        build_windows(decode(instances=[{"features": features}]), MANIFEST)

    assert refused.value.expected == {"window_length": 3, "features": 4}


def test_the_bad_row_of_many_is_named():
    """One bad instance refuses its own request and says which it was."""
    instances = [{"features": window(0)}, {"features": window(0)[:1]}]

    with pytest.raises(FeatureMismatchError, match=r"instances\[1\]"):
        build_windows(decode(instances=instances), MANIFEST)


def test_numbers_beyond_a_float32_are_refused_with_the_feature():
    """A double that becomes infinite in the graph's precision is not finite."""
    features = window(0)
    features[2][1] = 1e39

    with pytest.raises(NonFiniteFeaturesError, match=r"\[0\].features\[2\]\[1\] \(feature_1\)"):
        build_windows(decode(instances=[{"features": features}]), MANIFEST)


def test_smallest_numbers_and_negative_zero_are_numbers():
    """Denormals pass, and -0.0 is 0.0, so that equal windows hash equally."""
    features = [[1e-310, -0.0, 5e-324, 3.4e38]] * 3
    windows = build_windows(decode(instances=[{"features": features}]), MANIFEST)

    assert windows[0, 0].tobytes() == np.array([0, 0, 0, 3.4e38], np.float32).tobytes()


def test_another_features_hash_is_refused_with_the_right_names():
    """A permutation of columns has the same shape; its hash tells."""
    assert len(build_windows(decode(features_hash=MANIFEST.features.sha256), MANIFEST)) == 1
    with pytest.raises(FeatureMismatchError, match="features_hash") as refused:
        build_windows(decode(features_hash="0" * 64), MANIFEST)

    assert refused.value.expected["features"] == list(MANIFEST.features.names)  # type: ignore[index]


def test_times_are_microseconds_in_utc():
    """The offset is applied; years no reader can hold are refused."""
    decoded = decode(instances=[{"features": window(0), "time": "1970-01-01T01:00:00.5+01:00"}])
    early = decode(instances=[{"features": window(0), "time": "0001-01-01T00:00:00+23:59"}])

    assert microseconds(decoded.instances[0].time, "time") == 500_000
    with pytest.raises(RequestRejectedError, match="time is 0001"):
        microseconds(early.instances[0].time, "time")


def test_an_outcome_needs_its_prediction():
    """Everything else about an outcome is optional."""
    with pytest.raises(RequestRejectedError, match="prediction_id"):
        OUTCOMES.decode(b'{"outcomes":[{"label":"BUY"}]}')
