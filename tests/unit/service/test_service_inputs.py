"""From a request to arrays: what is not what the manifest says is refused with its place."""

from __future__ import annotations

import json

import numpy as np
import pytest

from plumbline.bundle.spec import InputSpec
from plumbline.service.errors import (
    FeatureMismatchError,
    NonFiniteFeaturesError,
    RequestRejectedError,
)
from plumbline.service.inputs import bar_times, build_inputs
from plumbline.service.memory import AnswerMemory
from plumbline.service.schema import PREDICT, PredictRequest
from tests.support.bundles import small_bundle
from tests.support.graphs import BARS, SEVERAL, bars, bars_bundle, several_bundle
from tests.support.served import body, window

MANIFEST, _ = small_bundle()
OF_BARS, _ = bars_bundle()
OF_SEVERAL, _ = several_bundle()
FLAT = MANIFEST.model_copy(
    update={"inputs": (InputSpec(name="row", shape=(4,), names=("a", "b", "c", "d")),)}
)
WHOLE = {
    "window": [[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]],
    "extra": [7.0, 8.0],
    "past": [[0.0, 0.0], [2.0, 1.0]],
}


def decode(*instances: object, **fields: object) -> PredictRequest:
    """Decode a request of these instances."""
    return PREDICT.decode(json.dumps({"instances": instances, **fields}).encode())


def build(request, manifest=MANIFEST, memory=None):
    """Return the inputs of a request."""
    ids = [f"id-{i}" for i in range(len(request.instances))]
    return build_inputs(request, manifest, memory or AnswerMemory(), ids)


def refuse(kind, message, *instances, manifest=MANIFEST):
    """Check that a request is refused so; return what was expected."""
    with pytest.raises(kind, match=message) as refused:
        build(decode(*instances), manifest)
    return refused.value.expected


class TestColumns:
    """One window of columns."""

    def test_windows_come_out_as_they_went_in(self):
        """Rows, steps and features keep their order; integers are numbers too."""
        sent = [window(1), window(2)]
        sent[1][0][0] = 7
        windows = build(decode(*({"features": rows} for rows in sent)))["features"]

        assert windows.dtype == np.float32
        assert windows.tolist() == np.array(sent, np.float32).tolist()

    @pytest.mark.parametrize(
        ("features", "message"),
        [
            (window(0)[:2], "has 2 steps, expected 3 steps of 4, oldest first"),
            (window(0) + window(1), "has 6 steps, expected 3"),
            ([], "has 0 steps, expected 3"),
            ([1.0, 2.0, 3.0, 4.0], "has 4 numbers, expected 3 steps of 4"),
            ([row[:3] for row in window(0)], r"features\[0\] has 3 numbers, expected 4"),
            ([*window(0)[:2], [1.0] * 5], r"features\[2\] has 5 numbers, expected 4"),
            ([*window(0)[:2], 1.0], r"features\[2\] has no numbers, expected 4"),
            ([[], [], []], r"features\[0\] has 0 numbers"),
        ],
    )
    def test_another_shape_is_never_padded(self, features, message):
        """Too short, too long, too narrow, ragged: refused, with the shape that was expected."""
        expected = refuse(FeatureMismatchError, message, {"features": features})

        assert expected == {"window_length": 3, "features": 4}

    def test_the_bad_row_of_many_is_named(self):
        """One bad instance refuses its own request and says which it was."""
        good, bad = {"features": window(0)}, {"features": window(0)[:1]}

        refuse(FeatureMismatchError, r"instances\[1\]", good, bad)

    def test_one_moment_needs_no_list_of_steps(self):
        """An input without a time axis takes its numbers flat, or as the one step they are."""
        row = [1.0, 2.0, 3.0, 4.0]
        found = build(decode({"features": row}, {"features": [row]}), FLAT)["row"]

        assert found.tolist() == [row, row]

    @pytest.mark.parametrize(
        ("features", "message"),
        [
            ([1.0, 2.0], "has 2 numbers, expected 4"),
            ([1.0, 2.0, 3.0, [4.0]], "has 4 numbers, expected 4"),
            ([[1.0] * 4] * 2, "has 2 steps, expected 1"),
        ],
    )
    def test_one_moment_of_another_width_is_refused(self, features, message):
        """Two steps are not one."""
        refuse(FeatureMismatchError, message, {"features": features}, manifest=FLAT)

    def test_numbers_beyond_a_float32_are_refused_with_the_feature(self):
        """A double that becomes infinite in the graph's precision is not finite."""
        features = window(0)
        features[2][1] = 1e39

        refuse(
            NonFiniteFeaturesError,
            r"instances\[0\].features\[2\]\[1\] \(feature_1\) is .*1e\+39",
            {"features": features},
        )

    def test_smallest_numbers_and_negative_zero_are_numbers(self):
        """Denormals pass, and -0.0 is 0.0, so that equal windows hash equally."""
        windows = build(decode({"features": [[1e-310, -0.0, 5e-324, 3.4e38]] * 3}))["features"]

        assert windows[0, 0].tobytes() == np.array([0, 0, 0, 3.4e38], np.float32).tobytes()

    def test_another_features_hash_is_refused_with_the_right_names(self):
        """A permutation of columns has the same shape; its hash tells."""
        (spec,) = MANIFEST.inputs
        instance = {"features": window(0)}
        right, wrong = (decode(instance, features_hash=each) for each in (spec.sha256, "0" * 64))

        assert len(build(right)["features"]) == 1
        with pytest.raises(FeatureMismatchError, match="features_hash") as refused:
            build(wrong)
        assert refused.value.expected == {
            "features": {"sha256": spec.sha256, "features": list(spec.names)}
        }

    @pytest.mark.parametrize(
        ("instance", "message"),
        [
            ({}, r"instances\[0\] has none of features, bars and inputs"),
            ({"features": window(0), "bars": bars()}, r"has features and bars"),
            ({"bars": bars()}, r"instances\[0\].bars: the model takes 'features' from features"),
            ({"inputs": {}}, r"instances\[0\].inputs: the model takes 'features'"),
            ({"inputs": {"window": window(0)}}, r"has \['window'\], which the model does not take"),
        ],
    )
    def test_what_the_model_does_not_take_is_refused(self, instance, message):
        """With the names and shapes of what it takes."""
        expected = refuse(FeatureMismatchError, message, instance)

        assert expected["features"] == {"shape": [3, 4], "source": "features"}


class TestSeveral:
    """Inputs by name."""

    def test_each_goes_where_its_name_says_in_its_own_type(self):
        """The constant of the bundle is not asked for."""
        found = build(decode({"inputs": WHOLE}), OF_SEVERAL)

        assert {name: each.tolist() for name, each in found.items()} == {
            name: [rows] for name, rows in WHOLE.items()
        }
        assert [found[name].dtype for name in found] == [np.float32, np.float64, np.float32]

    @pytest.mark.parametrize(
        ("inputs", "message"),
        [
            ({"extra": None}, r"inputs: the model takes 'extra' from features, which is not there"),
            ({"goal": [2.0]}, r"has \['goal'\], which the model does not take"),
            ({"extra": [1.0]}, r"instances\[0\].inputs.extra has 1 numbers, expected 2"),
            ({"past": [[0.0, 0.0]]}, r"inputs.past has 1 steps, expected 2 steps of 2"),
        ],
    )
    def test_missing_unknown_and_misshapen_inputs_are_named(self, inputs, message):
        """And what the model takes is listed."""
        sent = {name: rows for name, rows in {**WHOLE, **inputs}.items() if rows is not None}

        refuse(FeatureMismatchError, message, {"inputs": sent}, manifest=OF_SEVERAL)

    def test_plain_features_are_no_answer_to_several_inputs(self):
        """It would have to be guessed which is meant."""
        message = r"instances\[0\].features: the model takes 'window' from features"

        refuse(FeatureMismatchError, message, {"features": WHOLE["window"]}, manifest=OF_SEVERAL)

    def test_float64_keeps_what_a_float32_cannot_hold(self):
        """Each number is held to its own input's type."""
        inputs = {**WHOLE, "extra": [1e39, 1.0]}

        assert build(decode({"inputs": inputs}), OF_SEVERAL)["extra"][0, 0] == 1e39


class TestMemory:
    """The own past answers, for models that are shown them."""

    PAST = SEVERAL[-1]

    def ask(self, memory, name, **fields):
        """Return the past that a request without one gets."""
        inputs = {key: rows for key, rows in WHOLE.items() if key != "past"}
        request = decode({"inputs": inputs, **fields})
        return build_inputs(request, OF_SEVERAL, memory, [name])["past"][0].tolist()

    def test_the_newest_answers_come_last_and_zeros_before_the_first(self):
        """Of this symbol alone."""
        memory = AnswerMemory()
        assert self.ask(memory, "a", symbol="X") == [[0, 0], [0, 0]]
        memory.note("X", "a", 2, 1.0, 0.05)
        memory.note("Y", "b", 0, -1.0, 0.05)
        assert self.ask(memory, "c", symbol="X") == [[0, 0], [2, 1]]
        memory.note("X", "c", None, -0.5, 0.05)

        assert self.ask(memory, "d", symbol="X") == [[2, 1], [-1, -0.5]]

    def test_an_answer_that_is_asked_for_again_is_not_its_own_past(self):
        """The same id, or the same bar, sees what it saw at first, and is remembered once."""
        memory = AnswerMemory()
        for occasion in ("a", "b", "b"):
            memory.note("X", occasion, 1, 0.0, 0.0)
        memory.note("Z", "2020-01-01T00:00:00+00:00", 2, 1.0, 0.0)

        assert self.ask(memory, "b", symbol="X") == [[0, 0], [1, 0]]
        assert self.ask(memory, "c", symbol="X") == [[1, 0], [1, 0]]
        assert self.ask(memory, "q", symbol="Z", time="2020-01-01T00:00:00Z") == [[0, 0], [0, 0]]

    def test_a_symbol_twice_in_a_request_has_to_say_its_past(self):
        """The second answer would have to know the first."""
        inputs = {key: rows for key, rows in WHOLE.items() if key != "past"}
        message = r"instances\[1\].inputs.past is left out, and symbol 'default' stands .* twice"

        refuse(RequestRejectedError, message, *[{"inputs": inputs}] * 2, manifest=OF_SEVERAL)
        assert len(build(decode(*[{"inputs": WHOLE}] * 2), OF_SEVERAL)["past"]) == 2

    def test_what_is_remembered_is_bounded(self, monkeypatch):
        """The symbols longest silent go first."""
        monkeypatch.setattr("plumbline.service.memory.SYMBOLS", 2)
        memory = AnswerMemory()
        for symbol in ("X", "Y", "X", "Z"):
            memory.note(symbol, symbol, 1, 0.5, 0.0)

        assert memory.recall("Y", "new", self.PAST) == [[0, 0], [0, 0]]
        assert memory.recall("X", "new", self.PAST)[-1] == [1, 0.5]


class TestBars:
    """Raw bars."""

    def test_the_newest_bars_are_taken(self):
        """More may be sent than are needed; ISO and epoch times are the same times."""
        sent = bars(count=BARS + 3)
        texts = [
            ["2017-07-14T09:40:00Z", *row[1:]] if i == 7 else row for i, row in enumerate(sent)
        ]
        found = build(decode({"bars": sent}, {"bars": texts}), OF_BARS)["bars"]

        assert found.dtype == np.float64
        assert found.tolist() == [sent[3:], sent[3:]]

    @pytest.mark.parametrize("unit", [1, 1e3, 1e6, 1e9])
    def test_times_may_be_in_any_unit(self, unit):
        """Told apart by their size."""
        sent = [[row[0] * unit, *row[1:]] for row in bars()]

        assert build(decode({"bars": sent}), OF_BARS)["bars"][0, :, 0].tolist() == [
            row[0] for row in bars()
        ]

    @pytest.mark.parametrize(
        ("step", "column", "value", "message"),
        [
            (2, 0, 1_500_003_600, r"bars\[2\]: is not later than the bar before it"),
            (2, 0, 1_500_003_000, r"bars\[2\]: is not later than the bar before it"),
            (2, 0, 1_500_005_400, r"bars\[2\]: is 1800 s after .* the model takes bars of 3600 s"),
            (2, 2, 1e-9, r"bars\[2\]: its high is not the highest price, or its low the lowest"),
            (3, 3, 1e9, r"bars\[3\]: its high is not the highest"),
            (1, 4, 0, r"bars\[1\]: expected prices above zero"),
            (1, 5, -1, r"bars\[1\]: expected prices above zero and a volume of zero or more"),
            (4, 1, "1.0", r"bars\[4\]\[1\] \(open\) is text, expected a number"),
            (0, 0, "today", r"bars\[0\]\[0\] is 'today'"),
            (0, 0, -5, r"bars\[0\]\[0\] is -5"),
            (4, 0, 1e300, r"bars\[4\]\[0\] is 1e\+300"),
            (4, 0, "2500-01-01T00:00:00Z", r"bars\[4\]\[0\] is 2500"),
        ],
    )
    def test_what_is_no_bar_is_refused_with_its_place(self, step, column, value, message):
        """Order, interval, prices, volume and time are looked at before the graph is."""
        sent = bars()
        sent[step][column] = value

        refuse(RequestRejectedError, rf"instances\[0\].{message}", {"bars": sent}, manifest=OF_BARS)

    @pytest.mark.parametrize(
        ("sent", "message"),
        [
            (bars(count=BARS - 1), "has 4 bars, expected 5 or more, oldest first"),
            ([row[:5] for row in bars()], r"bars\[0\] has 5 values, expected time, open, high"),
            ([[*row, 1.0] for row in bars()], r"bars\[0\] has 7 values"),
        ],
    )
    def test_too_few_bars_and_too_few_columns_are_refused(self, sent, message):
        """And what was expected is said."""
        expected = refuse(FeatureMismatchError, message, {"bars": sent}, manifest=OF_BARS)

        assert expected["bars"] == BARS
        assert expected["interval_seconds"] == 3600

    def test_bars_of_another_interval_are_refused(self):
        """Hours for a model of hours; a weekend between two of them is nothing to complain of."""
        message = r"is 7200 s after the bar before it, and none is nearer"
        weekend = bars()
        for row in weekend[3:]:
            row[0] += 48 * 3600

        refuse(RequestRejectedError, message, {"bars": bars(interval=7200)}, manifest=OF_BARS)
        assert len(build(decode({"bars": weekend}), OF_BARS)["bars"]) == 1

    def test_an_hour_less_in_spring_is_still_a_day(self):
        """Where clocks change, one day of the year has 23 hours."""
        daily = OF_BARS.model_copy(update={"bar_interval_seconds": 86400})
        sent = bars(interval=86400)
        sent[-1][0] -= 3600

        assert len(build(decode({"bars": sent}), daily)["bars"]) == 1

    def test_a_row_without_a_time_has_that_of_its_newest_bar(self):
        """However the bars were sent; a time that contradicts them is refused."""
        last = (1_500_000_000 + 4 * 3600) * 1_000_000
        named = {"inputs": {"bars": bars()}}
        request = decode({"bars": bars()}, named, {"bars": bars(), "time": "2017-07-14T06:40:00Z"})
        wrong = decode({"bars": bars(), "time": "2017-07-14T05:40:00Z"})

        assert bar_times(request, OF_BARS) == [last] * 3
        assert bar_times(decode({"features": window(0)}), MANIFEST) == [None]
        with pytest.raises(RequestRejectedError, match="newest bar is of another time"):
            bar_times(wrong, OF_BARS)

    def test_body_of_the_tests_is_what_the_model_takes(self):
        """The helper of other tests makes whole requests."""
        assert build(decode(*body(1, 2)["instances"]))["features"].shape == (2, 3, 4)


def test_a_late_retry_does_not_change_what_came_after_it():
    """It is answered from before its bar, as at first, and takes its own place again."""
    spec = InputSpec(name="past", shape=(3, 1), source="log", names=("position",))
    memory = AnswerMemory()
    for place, bar in enumerate(("t1", "t2", "t3"), start=1):
        memory.note("X", bar, None, float(place), 0.1)

    assert memory.recall("X", "t2", spec) == [[0], [0], [1]]
    memory.note("X", "t2", None, 2.0, 0.1)
    assert memory.recall("X", "t4", spec) == [[1], [2], [3]]
