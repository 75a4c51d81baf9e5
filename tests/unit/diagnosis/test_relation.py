"""What a client does wrong with its columns is named, not just seen."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from plumbline.diagnosis.exact.comparison import FEWEST, Scale, compare
from plumbline.diagnosis.exact.relation import Difference, Relation, RelationKind

NAMES = ("close_z", "rv_5", "ret_1", "volume", "hour_sin", "rsi")
LEVEL = np.array([0.0, 10.0, 0.0, 3.0, 0.5, 40.0])
SPREAD = np.array([1.0, 2.0, 0.001, 5.0, 1.0, 12.0])


def stream(rows: int, seed: int = 0) -> np.ndarray:
    """Return sound columns ``(rows, 6) float32`` that persist."""
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(rows, len(NAMES)))
    for row in range(1, rows):
        x[row] = 0.8 * x[row - 1] + 0.6 * x[row]
    return (x * SPREAD + LEVEL).astype(np.float32)


SCALE = Scale.of(stream(5_000, seed=9))


def seen(wrong: Callable[[np.ndarray], np.ndarray], *, rows: int = 40, seed: int = 0) -> Difference:
    """Return what is said of a client that does this to its columns."""
    right = stream(rows, seed)
    return compare(np.asarray(wrong(right.copy()), np.float32), right, NAMES, SCALE)


def on(columns: list[int], change: Callable[[np.ndarray], np.ndarray]) -> Callable[..., np.ndarray]:
    """Return the fault that befalls only some columns."""

    def wrong(x: np.ndarray) -> np.ndarray:
        x[:, columns] = change(x[:, columns])
        return x

    return wrong


def smoothed(x: np.ndarray, part: float) -> np.ndarray:
    """Return an exponential average of rows, with so much of each row's own."""
    found = x.copy()
    for row in range(1, len(x)):
        found[row] = part * x[row] + (1 - part) * found[row - 1]
    return found


FAULTS: dict[str, tuple[Callable[..., np.ndarray], RelationKind, str]] = {
    "factor": (
        on([0, 1], lambda x: x * 1.5),
        RelationKind.SCALED,
        "columns close_z, rv_5 arrive x 1.5; the others are right",
    ),
    "all": (lambda x: x * 1.5, RelationKind.SCALED, "all columns arrive x 1.5"),
    "percent": (
        on([2], lambda x: x * 100),
        RelationKind.UNIT,
        "column ret_1 arrives in another unit, x 100; the others are right",
    ),
    "basis points": (
        on([2], lambda x: x * 1e4),
        RelationKind.UNIT,
        "column ret_1 arrives in another unit, x 1e+04; the others are right",
    ),
    "small unit": (
        on([1], lambda x: x * 1e-4),
        RelationKind.UNIT,
        "column rv_5 arrives in another unit, x 0.0001; the others are right",
    ),
    "sign": (
        on([2], lambda x: -x),
        RelationKind.SIGN,
        "column ret_1 arrives with the sign turned; the others are right",
    ),
    "offset": (
        on([3], lambda x: x + 4),
        RelationKind.SHIFTED,
        "column volume arrives shifted by +4; the others are right",
    ),
    "twice standardised": (
        lambda x: (x - SCALE.mean) / SCALE.deviation,
        RelationKind.STANDARDISED,
        "all columns arrive standardised, which the model does itself",
    ),
    "line": (
        on([0, 3], lambda x: 3 * x + 7),
        RelationKind.AFFINE,
        "columns close_z, volume arrive x 3 and shifted by +7; the others are right",
    ),
    "exchanged": (
        lambda x: x[:, [1, 0, 2, 3, 4, 5]],
        RelationKind.PERMUTED,
        (
            "column close_z arrives with the values of rv_5, column rv_5 arrives with the values "
            "of close_z; the others are right"
        ),
    ),
    "rotated": (
        lambda x: np.roll(x, -1, axis=1),
        RelationKind.PERMUTED,
        "columns close_z, rv_5, ret_1, volume, hour_sin, rsi arrive in another order",
    ),
    "late": (lambda x: np.roll(x, 2, axis=0), RelationKind.LATE, "all columns arrive 2 rows late"),
    "early": (
        lambda x: np.roll(x, -1, axis=0),
        RelationKind.LATE,
        "all columns arrive 1 row early",
    ),
    "reversed": (
        lambda x: x[::-1],
        RelationKind.REVERSED,
        "all columns arrive in reversed time order",
    ),
    "zero": (
        on([5], lambda x: x * 0),
        RelationKind.BLANK,
        "column rsi arrives blank; the others are right",
    ),
    "imputed": (
        on([5], lambda x: x * 0 + 40),
        RelationKind.BLANK,
        "column rsi arrives constant at 40; the others are right",
    ),
    "tiled": (
        lambda x: np.repeat(x[-1:], len(x), axis=0),
        RelationKind.TILED,
        "all columns arrive as one step repeated",
    ),
    "clipped": (
        on([1], lambda x: np.clip(x, 9.5, 10.5)),
        RelationKind.CLIPPED,
        "column rv_5 arrives clipped at 9.5 and 10.5; the others are right",
    ),
    "smoothed": (
        on([0, 1], lambda x: smoothed(x, 0.4)),
        RelationKind.MIXED,
        "columns close_z, rv_5 arrive averaged with the rows before; the others are right",
    ),
    "moving average": (
        on([0], lambda x: (x + np.roll(x, 1, axis=0) + np.roll(x, 2, axis=0)) / 3),
        RelationKind.MIXED,
        "column close_z arrives averaged with the rows before; the others are right",
    ),
    "noise": (
        on([0], lambda x: x + np.random.default_rng(1).normal(0, 0.7, x.shape)),
        RelationKind.NOISE,
        "column close_z arrives with noise; the others are right",
    ),
    "another": (
        lambda x: stream(len(x), seed=77),
        RelationKind.OTHER,
        "all columns arrive as something else altogether",
    ),
}


@pytest.mark.parametrize("name", FAULTS)
@pytest.mark.parametrize("seed", range(3))
def test_a_mistake_has_a_name(name: str, seed: int) -> None:
    """Each fault is called what it is, in a sentence a person understands."""
    wrong, kind, sentence = FAULTS[name]
    found = seen(wrong, seed=seed)

    assert found.kind is kind
    assert found.sentence == sentence


@pytest.mark.parametrize("name", ["factor", "sign", "zero", "exchanged", "twice standardised"])
def test_eight_rows_are_enough(name: str) -> None:
    """A simple mistake needs no more."""
    wrong, kind, _ = FAULTS[name]

    assert seen(wrong, rows=FEWEST).kind is kind


def test_rounding_is_no_difference() -> None:
    """What is off by less than a thousandth of a deviation is the same."""
    found = seen(lambda x: x + 2e-4 * SPREAD * np.random.default_rng(3).normal(size=x.shape))

    assert found.kind is RelationKind.SAME
    assert found.columns == ()
    assert found.sentence == "all columns are as they should be"


def test_a_tenth_of_the_rows_does_not_hide_a_name() -> None:
    """Three revised rows of forty leave a factor a factor."""

    def wrong(x: np.ndarray) -> np.ndarray:
        x = x * 2.5
        x[[3, 17, 30]] += 9
        return x

    found = seen(wrong)

    assert found.kind is RelationKind.SCALED
    assert found.sentence == "all columns arrive x 2.5"


def test_few_rows_say_nothing() -> None:
    """Below eight known rows a column is unknown, which is no accusation."""
    found = seen(lambda x: x * 3, rows=FEWEST - 1)

    assert {each.kind for each in found.relations} == {RelationKind.UNKNOWN}
    assert found.columns == ()


def test_unknown_numbers_are_left_out() -> None:
    """NaN on either side is no row of its column."""
    right = stream(40)
    said = right * 2
    said[:20, 0] = np.nan
    right[:35, 1] = np.nan
    found = compare(said, right, NAMES, SCALE)

    assert found.relations[0].kind is RelationKind.SCALED
    assert found.relations[1].kind is RelationKind.UNKNOWN


def test_time_is_shifted_within_stretches_only() -> None:
    """Rows of two windows are not each other's neighbours."""
    windows = np.stack([stream(12, seed=1), stream(12, seed=2)])
    said = np.stack([np.roll(each, 3, axis=0) for each in windows]).reshape(24, -1)
    said[[0, 1, 2, 12, 13, 14]] = np.nan
    stretch = np.repeat([0, 1], 12)
    found = compare(said, windows.reshape(24, -1), NAMES, SCALE, stretch)

    assert found.kind is RelationKind.LATE
    assert found.relations[0].rows == 3


def test_two_tiled_windows_are_not_blank() -> None:
    """Each repeats a value of its own."""
    windows = np.stack([stream(12, seed=1), stream(12, seed=2)])
    said = np.repeat(windows[:, -1:], 12, axis=1).reshape(24, -1)
    found = compare(said, windows.reshape(24, -1), NAMES, SCALE, np.repeat([0, 1], 12))

    assert found.kind is RelationKind.TILED


@pytest.mark.parametrize(
    ("there", "back"),
    [
        (Relation(RelationKind.SCALED, 1.5), Relation(RelationKind.SCALED, 0.6667)),
        (Relation(RelationKind.SHIFTED, offset=4.0), Relation(RelationKind.SHIFTED, offset=-4.0)),
        (Relation(RelationKind.SIGN, -1.0), Relation(RelationKind.SIGN, -1.0)),
        (Relation(RelationKind.AFFINE, 2.0, 3.0), Relation(RelationKind.AFFINE, 0.5, -1.5)),
        (Relation(RelationKind.LATE, rows=2), Relation(RelationKind.LATE, rows=-2)),
    ],
)
def test_the_way_back_is_known(there: Relation, back: Relation) -> None:
    """A second change that leads back undoes the first; the first again does not."""
    assert back.undoes(there) is True
    assert there.undoes(there) is (there.kind is RelationKind.SIGN)


def test_an_order_is_undone_by_its_inverse_only() -> None:
    """Three columns rotated twice are not back."""
    once = seen(lambda x: x[:, [1, 2, 0, 3, 4, 5]])
    back = seen(lambda x: x[:, [2, 0, 1, 3, 4, 5]])

    assert back.undoes(once) is True
    assert once.undoes(once) is False


def test_what_cannot_be_told_is_none() -> None:
    """From blank to numbers: nobody can say whether they are the right ones."""
    blank = seen(FAULTS["zero"][0])
    other = seen(on([5], lambda x: stream(len(x), seed=5)[:, [5]]))

    assert other.undoes(blank) is None
    assert other.undoes(seen(FAULTS["offset"][0])) is False
