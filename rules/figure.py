"""What is recorded of the outputs and inputs of every version, over four windows.

Everything is added up over workers and replicas before anything is divided, so the numbers are
those of the fleet: a pooled standard deviation is never the mean of the replicas' own.

Each figure exists over 5 minutes, an hour and a day, for people, and over the window that fits the
bars of the model, for alerts. How many bars there were decides, not how many minutes: an hour holds
sixty answers about minutes and one about hours.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from plumbline.bundle.figure_window import BARS, WINDOWS
from plumbline.rules.rule import RecordingRule

VERSION = ("namespace", "model", "version")
OUTPUT = (*VERSION, "output")
COORDINATE = (*OUTPUT, "coordinate")
FIXED = ("5m", "1h", "1d")
_PIECES = {"7d": "hour", "30d": "day", "90d": "day"}
"""Longer windows are added up from recorded sums over these, of all replicas together."""
_STEPS = {"hour": "1h", "day": "1d"}


@dataclass(frozen=True)
class Total:
    """A counter of the service that is added up over replicas.

    Attributes
    ----------
    name
        Of the recorded sum.
    metric
        The counter.
    labels
        What is kept apart.
    """

    name: str
    metric: str
    labels: tuple[str, ...]

    def over(self, window: str) -> str:
        """Return the sum over a window; ``fit`` is the one that fits, as recorded."""
        if window == "fit":
            return self._recorded("fit")
        return f"sum by ({', '.join(self.labels)}) (increase({self.metric}[{window}]))"

    def long_records(self) -> Iterator[RecordingRule]:
        """Yield the pieces of which windows beyond a day are made, and the sums of these."""
        yield from (
            RecordingRule(self._recorded(piece), self.over(step)) for piece, step in _STEPS.items()
        )
        sums = (
            f"sum_over_time({self._recorded(piece)}[{window}:{_STEPS[piece]}])\n"
            f"and on ({_on()}) ({_FITTING} == {WINDOWS[window]})"
            for window, piece in _PIECES.items()
        )
        yield RecordingRule(self._recorded("long"), "\nor\n".join(sums))

    def record(self) -> RecordingRule:
        """Return the sum over the window that fits."""
        sums = [
            f"{self.over(window)}\nand on ({_on()}) (plumbline:window:seconds == {seconds})"
            for window, seconds in WINDOWS.items()
            if window not in _PIECES
        ]
        return RecordingRule(self._recorded("fit"), "\nor\n".join([*sums, self._recorded("long")]))

    def _recorded(self, window: str) -> str:
        return f"plumbline:{self.name}:sum_{window}"


def _on(labels: tuple[str, ...] = VERSION) -> str:
    return ", ".join(labels)


_INTERVAL = f"max by ({_on()}) (plumbline_service_bar_interval_seconds)"
_FITTING = f"max by ({_on()}) (plumbline_service_window_seconds)"
PREDICTIONS = Total("predictions", "plumbline_service_predictions_total", VERSION)
DECISIONS = Total("decisions", "plumbline_service_decisions_total", (*VERSION, "action"))
PROBABILITY = Total("probability", "plumbline_service_probability_total", (*OUTPUT, "choice"))
ENTROPY = Total("entropy", "plumbline_service_entropy_nats_total", OUTPUT)
CONFIDENCE = Total("confidence", "plumbline_service_confidence_ratio_sum", OUTPUT)
POSITIVE = Total("output_positive", "plumbline_service_output_positive_total", COORDINATE)
NEGATIVE = Total("output_negative", "plumbline_service_output_negative_total", COORDINATE)
SQUARE = Total("output_square", "plumbline_service_output_square_total", COORDINATE)
REPEATED = Total("repeated_inputs", "plumbline_service_repeated_inputs_total", VERSION)
ZERO = Total("zero_columns", "plumbline_service_zero_columns_total", VERSION)
TOTALS = (
    PREDICTIONS,
    DECISIONS,
    PROBABILITY,
    ENTROPY,
    CONFIDENCE,
    POSITIVE,
    NEGATIVE,
    SQUARE,
    REPEATED,
    ZERO,
)


def long_records() -> Iterator[RecordingRule]:
    """Yield what is needed of models whose bars ask for more than a day."""
    for total in TOTALS:
        yield from total.long_records()


def window_records() -> Iterator[RecordingRule]:
    """Yield the length of the window that fits each version, and every sum over it."""
    newest = "plumbline_service_newest_bar_timestamp_seconds"
    replayed = f"""\
(
  max by ({_on()}) ({newest}) - min by ({_on()}) (min_over_time({newest}[1h]) > 0)
  >= {BARS} * {_INTERVAL}
) * 0 + {WINDOWS["1h"]}"""
    unknown = f"group by ({_on()}) (plumbline_service_predictions_total) * {WINDOWS['1h']}"
    yield RecordingRule(
        "plumbline:window:seconds",
        "\nor\n".join([replayed, _FITTING, unknown]),
        why="The window in which sixty bars of this market come, as the reference shows: an hour "
        "where so many passed in it, as in a replay, or where that is not known. "
        "Beyond a day it moves by whole hours, beyond a week by whole days: it is made of "
        "recorded sums.",
    )
    yield from (total.record() for total in TOTALS)


def figure_records() -> Iterator[RecordingRule]:
    """Yield every figure over every window."""
    for window in (*FIXED, "fit"):
        yield from WindowRules(window).records()


@dataclass(frozen=True)
class WindowRules:
    """The figures of one window."""

    window: str

    def name(self, figure: str) -> str:
        """Return the name of a figure; over the window that fits it has no ending."""
        return f"plumbline:{figure}" + ("" if self.window == "fit" else f"_{self.window}")

    def per_prediction(self, total: Total) -> str:
        """Return a sum divided by the number of predictions; nothing where there were none."""
        return (
            f"{total.over(self.window)}\n"
            f"/ on ({_on()}) group_left ()\n"
            f"({self.name('predictions:window')} > 0)"
        )

    def records(self) -> Iterator[RecordingRule]:
        """Yield the figures in an order in which each finds those it is made of."""
        yield self._predictions()
        yield RecordingRule(self.name("action_share:ratio"), self.per_prediction(DECISIONS))
        yield self._action_entropy()
        yield RecordingRule(self.name("mean_probability:ratio"), self.per_prediction(PROBABILITY))
        yield self._mutual_information()
        yield RecordingRule(self.name("confidence_mean:ratio"), self.per_prediction(CONFIDENCE))
        yield from self._movement()
        yield RecordingRule(self.name("repeated_inputs:ratio"), self.per_prediction(REPEATED))
        yield RecordingRule(self.name("zero_columns:count"), self.per_prediction(ZERO))

    def _predictions(self) -> RecordingRule:
        count = PREDICTIONS.over(self.window)
        name = self.name("predictions:window")
        if self.window != "fit":
            return RecordingRule(name, count)
        return RecordingRule(
            name,
            f"{count}\nand on ({_on()}) plumbline:serving:info",
            why="Of the version that serves. One that was replaced has no window, and so no "
            "alert, whether or not anybody asks at the moment.",
        )

    def _action_entropy(self) -> RecordingRule:
        share, by = self.name("action_share:ratio"), f"by ({_on()})"
        return RecordingRule(
            self.name("action_entropy:ratio"),
            f"""\
(
  -1 * sum {by} (({share} > 0) * ln({share} > 0))
  + on ({_on()})
  (count {by} ({share} > 0) - 1) / on ({_on()}) (2 * {self.name("predictions:window")})
)
/ on ({_on()})
ln(count {by} ({share}))""",
            why="Entropy of the shares over that of equal shares. The filters make 0 ln 0 = 0, "
            "and the second term corrects small windows (Miller 1955).",
        )

    def _mutual_information(self) -> RecordingRule:
        mean = self.name("mean_probability:ratio")
        return RecordingRule(
            self.name("mutual_information:nats"),
            f"""\
clamp_min(
  -1 * sum by ({_on(OUTPUT)}) (({mean} > 0) * ln({mean} > 0))
  - on ({_on(OUTPUT)})
  (
    {_indented(self.per_prediction(ENTROPY))}
  ),
  0
)""",
            why="H(mean p) - mean H(p): how much the answer depends on the question. Zero for a "
            "flat model and for a saturated one.",
        )

    def _movement(self) -> Iterator[RecordingRule]:
        shift, spread = self.name("output_shift:ratio"), self.name("output_spread:ratio")
        yield RecordingRule(
            shift,
            f"""\
(
  {POSITIVE.over(self.window)}
  -
  {NEGATIVE.over(self.window)}
)
/ on ({_on()}) group_left ()
({self.name("predictions:window")} > 0)""",
            why="Mean and pooled standard deviation of each coordinate of an output (log-ratio, "
            "value, normal score). The sums are centred and scaled by the reference, so "
            "that a spread of 1e-5 survives.",
        )
        yield RecordingRule(
            spread,
            f"""\
sqrt(
  clamp_min(
    {_indented(self.per_prediction(SQUARE), 4)}
    - {shift} ^ 2,
    0
  )
)""",
        )
        yield RecordingRule(
            self.name("output_std:ratio"),
            f"{spread}\n* on ({_on(COORDINATE)})\n"
            f"max by ({_on(COORDINATE)}) (plumbline_service_reference_output_std_ratio)",
        )


def _indented(text: str, by: int = 4) -> str:
    return text.replace("\n", "\n" + " " * by)
