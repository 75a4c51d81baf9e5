"""Skill by outcomes: sound models of real markets left alone, broken ones named, and when.

Models are those of the judge of verdicts (`benchmarks.truth`), asked about the bars that neither
their training nor their reference has seen; what came of them is worked out with their own label,
so that outcomes overlap as they do in life. Generated streams, whose outcomes overlap too and whose
probabilities are right by construction, show how often a sound one is accused.

    python -m benchmarks.skill --data FOLDER [--market btc-1h] [--streams 200]
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from dataclasses import replace

import numpy as np
from scipy.special import ndtr

from benchmarks.truth.market import Market, open_market
from benchmarks.truth.recipe import RECIPES, data_folder
from plumbline.bundle.archive import Bundle
from plumbline.bundle.array import FloatArray
from plumbline.bundle.outputs import Outputs, write_calibrations
from plumbline.bundle.reference import ReferenceProfile
from plumbline.bundle.verdict import Verdict
from plumbline.diagnosis.outcomes.settled import Settled
from plumbline.diagnosis.outcomes.skill import OutputSkill
from plumbline.training.bars import Bars
from plumbline.training.config import Experiment
from tests.support import streams
from tests.support.bundles import small_bundle

HORIZON, THRESHOLD, ROWS = 6, 1.6, 5_000
CHUNK = 60
Change = Callable[[Settled, Outputs], Settled]


def held_out(market: Market) -> Settled:
    """Return the primary output of every held-out row whose truth the bars reach, by moment."""
    bundle, outputs = market.bundle, market.bundle.outputs
    label = Experiment.of_manifest(bundle.manifest.training).build_label()
    parts = [_of_symbol(market, label, symbol) for symbol in range(len(market.symbols))]
    moment, centre, truth = (np.concatenate(each) for each in zip(*parts, strict=True))
    known = np.flatnonzero(np.isfinite(truth))
    order = known[np.argsort(moment[known], kind="stable")]
    moment, centre, truth = moment[order], centre[order], truth[order]
    group = moment if market.cross_section else None
    epistemic = np.zeros((len(order), len(outputs.specs)))
    decision = outputs.decide(outputs.restore(centre, epistemic, group), group)
    action = np.full(len(order), -1) if decision.action is None else decision.action
    own = centre[:, outputs.centre_slices[outputs.primary]].astype(np.float64)
    return Settled(moment, own, epistemic[:, 0], action, decision.position, decision.size, truth)


def _of_symbol(market: Market, label: object, symbol: int) -> tuple[np.ndarray, ...]:
    """Return moments, centres and truths of one symbol's held-out rows."""
    outputs, first, steps = market.bundle.outputs, market.first, market.steps
    features = market.features_of[symbol]
    views = np.lib.stride_tricks.sliding_window_view(features, steps, axis=0).transpose(0, 2, 1)
    rows = np.arange(max(first, steps - 1), len(market.time))
    windows = views[rows - steps + 1]
    whole = np.isfinite(windows).all(axis=(1, 2))
    raw = market.answer(windows[whole])
    centre = outputs.centres(outputs.read(raw, np.zeros(len(raw))))
    columns = market.bars[symbol].T
    bars = Bars(market.symbols[symbol], market.time, *columns[1:])
    truth = label.build(bars).values[:, 0]  # type: ignore[attr-defined]  # a label of any kind
    return market.time[rows[whole]], centre, truth[rows[whole]]


def turned(rows: Settled, outputs: Outputs) -> Settled:
    """Point the other way: choices in reverse, forecasts and scores with the other sign."""
    if outputs.heads[outputs.primary].spec.choices:
        last = rows.centre.shape[1] - 1
        return replace(rows, centre=rows.centre[:, ::-1], action=last - rows.action)
    centre = rows.centre.copy()
    centre[:, 0] = -centre[:, 0]
    return replace(rows, centre=centre)


def shuffled(rows: Settled, _: Outputs) -> Settled:
    """Give every row the answer of another."""
    order = np.random.default_rng(0).permutation(len(rows))
    return replace(rows, centre=rows.centre[order], action=rows.action[order])


def tempered(temperature: float) -> Change:
    """Make probabilities sharper or blunter, or deviations smaller or larger."""

    def change(rows: Settled, outputs: Outputs) -> Settled:
        if outputs.heads[outputs.primary].spec.choices:
            p = rows.centre ** (1.0 / temperature)
            return replace(rows, centre=p / p.sum(axis=1, keepdims=True))
        if rows.centre.shape[1] < 2:
            mean = rows.centre.mean(axis=0)
            return replace(rows, truth=mean + (rows.truth - mean) / temperature)
        return replace(rows, centre=rows.centre * (1.0, temperature))

    return change


CHANGES: dict[str, Change] = {
    "sound": lambda rows, _: rows,
    "the other way round": turned,
    "of other rows": shuffled,
    "temperature 0.4": tempered(0.4),
    "temperature 2.5": tempered(2.5),
}


def watch(skill: OutputSkill, rows: Settled) -> tuple[Verdict | None, int]:
    """Show rows, some moments at a time; returns what was said, and after how many moments."""
    moments = np.unique(rows.moment)
    for start in range(0, len(moments), CHUNK):
        some = moments[start : start + CHUNK]
        first, last = np.searchsorted(rows.moment, [some[0], some[-1] + 1])
        skill.take(rows.take(slice(int(first), int(last))))
        if skill.verdict is not None:
            break
    return skill.verdict, skill.moments


def measure_market(market: Market) -> None:
    """Print what is said of a market's model as it is, and broken in each way."""
    bundle, outputs = market.bundle, market.bundle.outputs
    rows = held_out(market)
    fresh = OutputSkill(bundle, outputs.primary)
    days = (rows.moment[-1] - rows.moment[0]) / 86_400e6
    n = len(np.unique(rows.moment))
    print(
        f"\n{market.name}: {len(rows):,} rows, {n:,} moments, {days:.0f} days; promised "
        f"{ {name: round(low, 4) for name, low in fresh.promise.gains.items()} }"
    )
    figures = fresh.figures(rows)
    print("  ", {k: round(v, 4) for k, v in figures.items() if v is not None})
    for name, change in CHANGES.items():
        began = time.process_time()
        skill = OutputSkill(bundle, outputs.primary)
        said, moments = watch(skill, change(rows, outputs))
        cost = (time.process_time() - began) / moments * 1e6
        strengths = {v.value: round(each.log_e, 1) for v, each in skill.inquiries.items()}
        print(
            f"   {name:20} {said.value if said else 'nothing':14} after {moments:7,} moments "
            f"({moments / n * days:6.0f} days) {strengths} {cost:.0f} us"
        )


def overlapping(rows: int, seed: int) -> tuple[FloatArray, FloatArray]:
    """Return probabilities and places of a market whose volatility alone can be known.

    Returns of ``HORIZON`` steps from every step: neighbours share all but one of theirs.
    """
    rng = np.random.default_rng(seed)
    log_size = np.zeros(rows + HORIZON)
    shocks = 0.02 * rng.normal(size=rows + HORIZON)
    for step in range(1, len(log_size)):
        log_size[step] = 0.999 * log_size[step - 1] + shocks[step]
    steps = rng.standard_t(6, rows + HORIZON) * np.sqrt(4 / 6) * np.exp(log_size)
    ahead = np.convolve(steps, np.ones(HORIZON), "valid")[1 : rows + 1]
    scale = np.exp(log_size[:rows]) * np.sqrt(HORIZON)
    tail = ndtr(-THRESHOLD / scale)
    probabilities = np.stack([tail, 1 - 2 * tail, tail], axis=1)
    # a leaning that has nothing to do with what comes
    lean = np.exp(0.3 * np.convolve(rng.normal(size=rows + 11), np.ones(12) / 12**0.5, "valid"))
    probabilities[:, 0] *= lean
    probabilities /= probabilities.sum(axis=1, keepdims=True)
    return probabilities, 1.0 + (ahead > THRESHOLD) - (ahead < -THRESHOLD)


def generated_bundle() -> Bundle:
    """Return a bundle whose reference is such a market."""
    p, places = overlapping(12_000, 999)
    manifest, files = small_bundle(rows=len(p))
    reference = ReferenceProfile.from_bytes(files["reference.npz"])
    files = files | {
        "reference.npz": replace(
            reference, centre=p.astype(np.float32), truth=places[:, None]
        ).to_bytes(),
        "calibration.json": write_calibrations(streams.OUTPUTS.calibrations),
    }
    return Bundle(manifest, files)


def measure_streams(count: int) -> None:
    """Print how many sound streams are accused, and how near the others came."""
    bundle = generated_bundle()
    accused, highest, left = 0, dict[str, float](), 0
    began = time.process_time()
    for seed in range(count):
        skill = OutputSkill(bundle, "h6")
        p, places = overlapping(ROWS, seed)
        moment = streams.START + streams.HOUR * np.arange(ROWS)
        zero = np.zeros(ROWS)
        rows = Settled(moment, p, zero, p.argmax(axis=1), zero, zero, places)
        skill.take(rows)
        accused += skill.verdict is not None
        interval = skill.interval("direction")
        left += interval is not None and not interval.low <= 0 <= interval.high
        for verdict, inquiry in skill.inquiries.items():
            highest[verdict.value] = max(highest.get(verdict.value, 0.0), inquiry.log_e)
    seconds = time.process_time() - began
    nats = {name: round(each, 1) for name, each in highest.items()}
    print(
        f"\ngenerated: {count} streams of {ROWS:,} moments, {accused} accused, at most "
        f"{count * ROWS / 1e6:.1f} allowed; evidence at most {nats}"
    )
    print(
        f"   {left} of {count} intervals of direction without zero at the end; "
        f"{seconds / count / ROWS * 1e6:.0f} us a moment"
    )


def main() -> None:
    """Measure what was asked for."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data")
    parser.add_argument("--market", action="append", choices=sorted(RECIPES))
    parser.add_argument("--streams", type=int, default=200)
    given = parser.parse_args()
    for name in given.market or ("eurusd-1h",):
        measure_market(open_market(name, data_folder(given.data)))
    if given.streams:
        measure_streams(given.streams)


if __name__ == "__main__":
    main()
