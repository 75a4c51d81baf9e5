"""What replaying logged answers finds, and what it leaves alone."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import onnx
import pytest
from onnx import helper

from plumbline.bundle.archive import Bundle
from plumbline.bundle.golden import GoldenRows
from plumbline.bundle.outputs import write_calibrations
from plumbline.monitoring.watching.audit.rebuilt import Rebuilt
from plumbline.monitoring.watching.audit.replay import Replay
from tests.support.answered import Answered, answered
from tests.support.bundles import choice_output, score_output, small_bundle, value_output
from tests.support.graphs import bars_bundle, several_bundle, with_file

ONSET = 133
ROWS = 400


def one(**how: object) -> Bundle:
    """Return a small bundle of this kind."""
    return Bundle(*small_bundle(**how))  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def sound() -> Answered:
    return answered(one(), ROWS)


def constant(right: np.ndarray) -> np.ndarray:
    """Return one answer to everything."""
    return np.tile(right.max(axis=0), (len(right), 1))


def partly(fault: np.ndarray, right: np.ndarray, share: float) -> np.ndarray:
    """Return a share of the rows wrong."""
    rows = np.random.default_rng(3).random(len(right)) < share
    return np.where(rows[:, None], fault, right)


def about(right: np.ndarray, factor: float) -> np.ndarray:
    """Return answers that vary so many times as much about their mean."""
    mean = right.mean(axis=0) + 1.0
    return mean + factor * (right - mean)


FAULTS: dict[str, tuple[Callable[[np.ndarray], np.ndarray], str, str]] = {
    "constant": (constant, "constant", "the same whatever the input"),
    "shrunk 3": (lambda x: about(x, 1 / 3), "scaled", "vary 3 times less"),
    "shrunk 1000": (lambda x: about(x, 1e-3), "scaled", "vary 1000 times less"),
    "temperature 2": (lambda x: x / 2, "scaled", "0.5 times the right ones"),
    "temperature .5": (lambda x: x * 2, "scaled", "2 times the right ones"),
    "turned round": (lambda x: -x, "scaled", "sign is inverted"),
    "offset": (lambda x: x + np.array([1.2, 0, 0]), "offset", "SELL is 1.2 too high"),
    "exchanged": (lambda x: x[:, [2, 1, 0]], "exchanged", "SELL and BUY are exchanged"),
    "rolled": (lambda x: np.roll(x, 1, axis=1), "exchanged", "another order"),
    "not finite": (lambda x: x + np.nan, "not_finite", "no finite numbers"),
    "one class dead": (lambda x: x * np.array([1, 1, 0]), "constant", "BUY is constant"),
    "by class": (lambda x: x * np.array([2, 1, 3]), "columns", "BUY is scaled by 3"),
}


@pytest.mark.parametrize("name", FAULTS)
def test_a_model_fault_is_found_within_seventeen_rows_and_named(sound: Answered, name: str) -> None:
    """Answers that are not the graph's are found, and the form of the difference is said."""
    make, relation, said = FAULTS[name]

    found = sound.saying(make(sound.right), ONSET).feed(Replay(sound.bundle))

    (row, fault), *_ = found
    assert row - ONSET < 17
    assert (fault.kind, fault.relation) == ("answer", relation)
    assert said in fault.cause
    assert fault.symbols == ("EURUSD",)


@pytest.mark.parametrize("name", ["noise", "shuffled"])
def test_answers_that_do_not_follow_the_input_are_named_once_there_are_enough(
    sound: Answered, name: str
) -> None:
    """Noise with a healthy marginal, and the right answers in another order."""
    rng, right = np.random.default_rng(0), sound.right
    made = {
        "noise": rng.normal(right.mean(axis=0), right.std(axis=0), right.shape),
        "shuffled": right[rng.permutation(len(right))],
    }
    replay = Replay(sound.bundle)

    (row, _), *_ = sound.saying(made[name], ONSET).feed(replay)

    (fault,) = replay.standing
    assert row - ONSET < 17
    assert fault.relation in {"noise", "other_rows"}


@pytest.mark.parametrize("at_once", [1, 7, 64, ROWS])
@pytest.mark.parametrize(
    "made", ["one", "several", "bars", "choices", "ensemble", "value", "section"]
)
def test_sound_rows_are_never_accused(made: str, at_once: int) -> None:
    """Whatever the model takes and gives, and however its rows are cut into batches."""
    bundles = {
        "one": one,
        "several": lambda: Bundle(*several_bundle()),
        "bars": lambda: Bundle(*bars_bundle()),
        "choices": lambda: one(classes=5),
        "ensemble": lambda: one(outputs=(choice_output(members=4), value_output(width=2))),
        "value": lambda: one(outputs=(value_output(members=3),)),
        "section": lambda: one(outputs=(score_output(),)),
    }
    bundle = bundles[made]()
    group = np.repeat(np.arange(ROWS // 10), 10).astype(str) if made == "section" else None
    windows = None
    if made == "bars":
        windows = {"bars": np.exp(np.random.default_rng(0).normal(0, 0.1, (ROWS, 5, 6)))}
    rows = answered(bundle, ROWS, group=group, windows=windows)
    replay = Replay(bundle)

    found = rows.feed(replay, at_once=max(at_once, 10) // 10 * 10 if group is not None else at_once)

    assert found == []
    assert replay.fault == ""
    assert replay.cleared("EURUSD", 40).right


@pytest.mark.parametrize("to", [np.float16, "bfloat16"])
def test_half_precision_is_no_fault(sound: Answered, to: object) -> None:
    """A backend that rounds changes the third digit, and no decision that matters."""
    right = sound.right
    rounded = right.astype(np.float16).astype(np.float32)
    if to == "bfloat16":
        bits = right.view(np.uint32)
        rounded = ((bits + 0x8000) & np.uint32(0xFFFF0000)).view(np.float32)

    assert sound.saying(rounded).feed(Replay(sound.bundle)) == []


@pytest.mark.parametrize("at_once", [1, 25, ROWS])
def test_what_is_found_does_not_depend_on_how_rows_are_cut(sound: Answered, at_once: int) -> None:
    """A fault of a fifth of the rows is confirmed at the same row."""
    raw = partly(constant(sound.right), sound.right, 0.2)

    found = sound.saying(raw, ONSET).feed(Replay(sound.bundle), at_once=at_once)
    in_order = sound.saying(raw, ONSET).feed(Replay(sound.bundle), at_once=10)

    assert [(row, fault.since_rows) for row, fault in found] == [
        (row, fault.since_rows) for row, fault in in_order
    ]
    assert len(found) == 1


@pytest.mark.parametrize("share", [0.1, 0.4])
def test_a_fault_of_part_of_the_rows_is_found_with_its_share(sound: Answered, share: float) -> None:
    """One row in ten, or four in ten, that always gets the same answer."""
    replay = Replay(sound.bundle)

    (row, _), *_ = sound.saying(partly(constant(sound.right), sound.right, share), ONSET).feed(
        replay
    )

    (fault,) = replay.standing
    assert row - ONSET <= 8 / share
    assert fault.relation == "constant"
    assert fault.share == pytest.approx(share, abs=0.1)


def test_one_symbol_of_twenty_is_named_and_the_others_are_not(sound: Answered) -> None:
    """The evidence is that symbol's own, and found in a few of its rows."""
    symbols = np.array([f"S{i % 20:02d}" for i in range(ROWS)])
    mine = symbols == "S07"
    raw = np.where(mine[:, None], constant(sound.right), sound.right)
    replay = Replay(sound.bundle)

    (row, fault), *_ = sound.saying(raw, ONSET).of(symbols).feed(replay)

    assert int(mine[ONSET : row + 1].sum()) <= 6
    assert fault.symbols == ("S07",)
    assert not fault.everywhere
    assert "for S07 and none for S00, S01, S02, S03 and 15 more" in fault.cause


def test_one_of_two_workers_with_the_version_before_is_named(sound: Answered) -> None:
    """Its rows count on from another number, and its answers are the other version's."""
    other = one(seed=7)
    theirs = answered(other, ROWS, windows=sound.windows).right
    mine = np.arange(ROWS) % 3 == 0
    seq = np.where(mine, 10**9, 2 * 10**9) + np.arange(ROWS)
    raw = np.where(mine[:, None], theirs, sound.right)
    replay = Replay(sound.bundle, others=lambda: {f"version {other.version}": other})

    sound.saying(raw, ONSET).with_batch(seq=seq).feed(replay)

    (fault,) = replay.standing
    assert (fault.relation, fault.version) == ("version", f"version {other.version}")
    assert "those of 1 of 2 workers" in fault.cause
    assert f"they are those of version {other.version}" in fault.cause


def test_one_output_of_several_is_named() -> None:
    """A head that says nothing beside one that is right."""
    bundle = one(outputs=(choice_output(), value_output(name="r6"), value_output(name="r24")))
    rows = answered(bundle, ROWS)
    raw = rows.right.copy()
    raw[:, 4] = 0.25

    (_, fault), *_ = rows.saying(raw, ONSET).feed(Replay(bundle))

    assert fault.outputs == ("r24",)
    assert "of r24, they are the same whatever the input" in fault.cause
    assert fault.finding.output == "r24"


@pytest.mark.parametrize(
    ("order", "said"),
    [((0, 1, 2, 4, 3, 5), "r6 and r24 are exchanged"), ((0, 1, 2, 4, 5, 3), "another order")],
)
def test_outputs_exchanged_are_named(order: tuple[int, ...], said: str) -> None:
    """Horizons that say each other's numbers."""
    values = (value_output(name=name) for name in ("r6", "r24", "r48"))
    bundle = one(outputs=(choice_output(), *values))
    rows = answered(bundle, ROWS)

    (_, fault), *_ = rows.saying(rows.right[:, order], ONSET).feed(Replay(bundle))

    assert fault.relation == "exchanged"
    assert said in fault.cause


@pytest.mark.parametrize(
    ("change", "said"),
    [("one", "member 3 of 4 say"), ("equal", "all 4 members say the same")],
)
def test_members_that_are_missing_or_all_the_same_are_named(change: str, said: str) -> None:
    """An ensemble whose partners are not there, though the average looks well."""
    bundle = one(outputs=(choice_output(members=4),))
    rows = answered(bundle, ROWS)
    raw = rows.right.reshape(ROWS, 4, 3).copy()
    if change == "one":
        raw[:, 2] = 0.0
    else:
        raw[:] = raw.mean(axis=1, keepdims=True)

    (_, fault), *_ = rows.saying(raw.reshape(ROWS, 12), ONSET).feed(Replay(bundle))

    assert said in fault.cause


def crossing(bundle: Bundle) -> Bundle:
    """Return a bundle of cross-sections whose graph takes the mean of each off its scores."""
    model = onnx.load_from_string(bundle.files["model.onnx"])
    (last,) = [node for node in model.graph.node if "s6" in node.output]
    last.output[:] = ["plain"]
    model.graph.node.extend(
        [
            helper.make_node("ReduceMean", ["plain"], ["middle"], axes=[0], keepdims=1),
            helper.make_node("Sub", ["plain", "middle"], ["s6"]),
        ]
    )
    golden = bundle.golden
    raw = golden.outputs["s6"] - golden.outputs["s6"].mean(axis=0)
    made = GoldenRows(golden.inputs, {"s6": raw}, golden.group)
    changed = with_file(bundle, "model.onnx", model.SerializeToString())
    return with_file(changed, "golden.npz", made.to_bytes())


def sections_of(bundle: Bundle) -> Answered:
    """Return forty cross-sections of ten symbols, answered."""
    group = np.repeat(np.arange(ROWS // 10), 10).astype(str)
    return answered(bundle, ROWS, group=group).of(np.array([f"S{i % 10}" for i in range(ROWS)]))


def test_rows_of_a_cross_section_are_asked_about_apart_if_the_graph_takes_them_so() -> None:
    """Scores that are scaled are found within one section, whole or not."""
    rows = sections_of(one(outputs=(score_output(),)))
    wrong = rows.saying(2 * rows.right, 130)
    gaps = np.arange(ROWS) % 10 != 3

    for exact in (None, gaps):
        (row, fault), *_ = wrong.feed(Replay(rows.bundle), at_once=20, exact=exact)

        assert row < 130 + 17
        assert fault.relation == "scaled"


def test_a_cross_section_is_asked_about_whole_where_rows_depend_on_each_other() -> None:
    """Two wrong sections are a fault; one whose rows are not all known is left out."""
    rows = sections_of(crossing(one(outputs=(score_output(),))))
    wrong = rows.saying(2 * rows.right, 130)
    gaps = np.arange(ROWS) % 10 != 3

    sound = rows.feed(Replay(rows.bundle), at_once=20)
    (row, fault), *_ = wrong.feed(Replay(rows.bundle), at_once=20)
    unknown = wrong.feed(Replay(rows.bundle), at_once=20, exact=gaps)

    assert sound == []
    assert row < 130 + 60
    assert fault.relation == "scaled"
    assert unknown == []


@pytest.mark.parametrize("lost", ["middle", "end"])
def test_a_cross_section_that_lost_rows_on_its_way_accuses_nobody(lost: str) -> None:
    """The numbers of its rows leave a gap, or it is smaller than those before."""
    rows = sections_of(crossing(one(outputs=(score_output(),))))
    place = 4 if lost == "middle" else 9
    once_whole = (np.arange(ROWS) % 30 < 10) if lost == "end" else np.zeros(ROWS, bool)
    kept = (np.arange(ROWS) % 10 != place) | once_whole
    some = Answered(
        rows.bundle,
        rows.batch.take(kept),
        {name: each[kept] for name, each in rows.windows.items()},
    )

    assert some.feed(Replay(rows.bundle), at_once=len(some.batch)) == []


def test_requests_that_share_a_cross_section_are_told_apart() -> None:
    """Two halves asked about at two times were answered without each other."""
    bundle = crossing(one(outputs=(score_output(),)))
    halves = np.repeat(np.arange(ROWS // 5), 5).astype(str)
    rows = answered(bundle, ROWS, group=halves)
    whole = np.repeat(np.arange(ROWS // 10), 10).astype(str)
    time = rows.batch.time.reshape(-1, 5)[:, :1].repeat(5, axis=1).ravel()

    assert rows.with_batch(group=whole, time=time).feed(Replay(bundle), at_once=20) == []


def test_the_policy_of_a_ranking_is_checked_on_whole_cross_sections() -> None:
    """Positions that are not those of the ranks are found."""
    rows = sections_of(one(outputs=(score_output(),)))
    time = np.arange(ROWS) // 10
    position = np.where(np.arange(ROWS) < 130, rows.batch.position, -rows.batch.position)

    (row, fault), *_ = rows.with_batch(position=position, time=time).feed(
        Replay(rows.bundle), at_once=20
    )

    assert row < 130 + 25
    assert fault.relation == "decision"


def test_a_disagreement_that_is_not_logged_is_named() -> None:
    """The members differ, and the log says that they agree."""
    rows = answered(one(outputs=(choice_output(members=4),)), ROWS)
    none = np.where(np.arange(ROWS)[:, None] < ONSET, rows.batch.epistemic, 0)

    (row, fault), *_ = rows.with_batch(epistemic=none.astype(np.float32)).feed(Replay(rows.bundle))

    assert row - ONSET < 17
    assert "the members' disagreement on h6 is logged as none" in fault.cause


def test_another_calibration_is_found_in_the_logged_probabilities(sound: Answered) -> None:
    """The raw numbers are right; what is made of them is not this version's."""
    calibration = sound.bundle.outputs.calibrations["h6"]
    cold = type(calibration).model_validate({**calibration.model_dump(), "temperature": 2.2})
    other = with_file(sound.bundle, "calibration.json", write_calibrations({"h6": cold}))
    batch = answered(other, ROWS, windows=sound.windows).batch
    mixed = {
        name: np.concatenate([getattr(sound.batch, name)[:ONSET], getattr(batch, name)[ONSET:]])
        for name in ("centre", "epistemic", "action", "position", "size")
    }

    (row, fault), *_ = sound.with_batch(**mixed).feed(Replay(sound.bundle))
    replay = Replay(sound.bundle, others=lambda: {"the version before": other})
    (_, known), *_ = sound.with_batch(**mixed).feed(replay)

    assert row - ONSET == 2
    assert (fault.kind, fault.relation) == ("reading", "scaled")
    assert "of h6, they are 0.5 times the right ones" in fault.cause
    assert known.version == "the version before"


def test_another_policy_is_found_in_the_logged_actions(sound: Answered) -> None:
    """The probabilities are right; the decision is not this policy's."""
    action = np.where(np.arange(ROWS) < ONSET, sound.batch.action, 1).astype(np.int8)

    (row, fault), *_ = sound.with_batch(action=action).feed(Replay(sound.bundle))

    assert row - ONSET < 17
    assert fault.relation == "decision"
    assert "not those of this version's policy" in fault.cause


def test_a_fault_is_over_once_enough_rows_are_right_again(sound: Answered) -> None:
    """Sixty right rows with ten replays among them, and a new fault is found anew."""
    raw = constant(sound.right)
    raw[200:] = sound.right[200:]
    replay = Replay(sound.bundle)
    wrong = sound.saying(raw, ONSET)

    wrong.feed(replay, rows=slice(0, 225))
    held = replay.standing
    wrong.feed(replay, rows=slice(225, 300))
    over = replay.standing
    again = sound.saying(constant(sound.right)).feed(replay, rows=slice(300, ROWS))

    assert len(held) == 1
    assert over == []
    assert len(again) == 1


@pytest.mark.parametrize("lag", [1, 4, 5])
def test_answers_that_come_late_are_named_with_their_lag(sound: Answered, lag: int) -> None:
    """In rows of the symbol, though the right answer of every fourth row is all that is known."""
    symbols = np.array(["A", "B"])[np.arange(ROWS) % 2]
    late = np.roll(sound.right, 2 * lag, axis=0)
    replay = Replay(sound.bundle)

    sound.saying(late, ONSET).of(symbols).feed(replay, exact=np.arange(ROWS) % 4 == 0)

    (fault,) = replay.standing
    rows = "row" if lag == 1 else "rows"
    assert fault.relation == "late"
    assert f"the right ones of {lag} {rows} before" in fault.cause


def test_a_standing_fault_is_named_anew_as_more_is_known(sound: Answered) -> None:
    """Noise has no form in three rows; in forty it does not follow the input."""
    rng, right = np.random.default_rng(0), sound.right
    wrong = sound.saying(rng.normal(right.mean(axis=0), right.std(axis=0), right.shape), ONSET)
    replay = Replay(sound.bundle)

    wrong.feed(replay, at_once=1, rows=slice(0, ONSET + 8))
    (early,) = replay.standing
    wrong.feed(replay, rows=slice(ONSET + 8, ROWS))
    (late,) = replay.standing

    assert replay.at_fault
    assert early.relation == "otherwise"
    assert late.relation == "noise"
    assert late.row == -1
    assert late.counts["EURUSD"][0] > early.counts["EURUSD"][0]


def test_rows_without_a_known_window_are_not_replayed(sound: Answered) -> None:
    """With few windows known those are all asked about, so that a fault is found all the same."""
    exact = np.arange(ROWS) % 10 == 0
    wrong = sound.saying(constant(sound.right), ONSET)

    (row, _), *_ = wrong.feed(Replay(sound.bundle), exact=exact)
    none = wrong.feed(Replay(sound.bundle), exact=np.zeros(ROWS, bool))

    assert row - ONSET < 40
    assert none == []


def test_a_graph_that_cannot_be_run_says_nothing(sound: Answered) -> None:
    """The reason is there to be read, and the monitor goes on."""
    broken = with_file(sound.bundle, "model.onnx", b"no graph")
    replay = Replay(broken)

    found = sound.saying(constant(sound.right), ONSET).feed(replay)

    assert found == []
    assert "model.onnx cannot be run" in replay.fault
    assert not replay.cleared("EURUSD", 40).right


def test_a_graph_that_misses_its_golden_rows_here_says_nothing(sound: Answered) -> None:
    """A runtime that cannot be trusted accuses nobody."""
    other = with_file(sound.bundle, "model.onnx", one(seed=7).files["model.onnx"])
    replay = Replay(other)

    assert sound.feed(replay) == []
    assert "differs from its golden rows" in replay.fault


def test_a_slow_graph_is_asked_more_seldom(sound: Answered) -> None:
    """A backlog is not held up by a graph that takes a millisecond a row."""
    now = [0.0]

    def clock() -> float:
        now[0] += 0.05  # of every look at the clock
        return now[0]

    slow, quick = Replay(sound.bundle, clock=clock), Replay(sound.bundle, clock=lambda: 0.0)
    silent = sound.with_batch(window=np.full(ROWS, None, object))
    for replay in (slow, quick):
        for _ in range(10):
            silent.feed(replay, at_once=20)

    assert slow.cleared("EURUSD", 160).replayed < quick.cleared("EURUSD", 160).replayed == 40


def test_symbols_without_end_are_bounded(sound: Answered) -> None:
    """A flood of made-up symbols is forgotten, the longest silent first."""
    replay = Replay(sound.bundle)
    for round_ in range(15):
        symbols = np.array([f"S{round_ * ROWS + i}" for i in range(ROWS)])
        sound.of(symbols).feed(replay, at_once=ROWS)

    assert replay.cleared("S0", 40).replayed == 0
    assert replay.symbols == 4_096


def test_expected_answers_are_given_for_the_rows_that_were_replayed(sound: Answered) -> None:
    """Places ascend, and what the graph says stands beside them."""
    replay = Replay(sound.bundle)
    rows = np.arange(40)
    windows = {name: each[:40] for name, each in sound.windows.items()}
    wrong = sound.saying(2 * sound.right)

    checked = replay.check(wrong.batch.take(rows), Rebuilt(rows, windows, rows % 2 == 0))

    assert (np.diff(checked.rows) > 0).all()
    assert (checked.rows % 2 == 0).all()
    np.testing.assert_allclose(checked.expected, sound.right[checked.rows], atol=1e-5)
    assert checked.differs.all()
