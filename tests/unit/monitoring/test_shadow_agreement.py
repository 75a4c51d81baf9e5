"""Champion and challenger are compared request by request, whichever answer comes first."""

from __future__ import annotations

import numpy as np
import pytest

from plumbline.monitoring.watching import shadow_agreement
from plumbline.monitoring.watching.shadow_agreement import ShadowAgreement
from plumbline.store.columns import BATCH_COLUMNS, batch_of
from plumbline.store.prediction import PREDICTIONS, PredictionBatch


def rows(ids: list[str], actions: list[int], positions: list[float]) -> PredictionBatch:
    """Return rows that say no more than this."""
    empty = batch_of(PREDICTIONS.schema.empty_table().select(BATCH_COLUMNS))
    columns = {name: getattr(empty, name) for name in empty.__dataclass_fields__}
    columns |= {
        "prediction_id": np.array(ids, str),
        "action": np.array(actions, np.int8),
        "position": np.array(positions),
    }
    return PredictionBatch(**columns)


NOTHING = rows([], [], [])


def test_pairs_are_found_in_whatever_order_the_rows_come():
    """Rows of the champion that were not sampled pair with nothing."""
    found = ShadowAgreement()
    found.add(rows(["a", "b"], [0, 1], [-1.0, 0.0]), rows(["c"], [2], [1.0]))
    found.add(rows(["c", "d"], [2, 0], [1.0, -1.0]), rows(["b", "a"], [1, 2], [0.0, 1.0]))

    assert (found.pairs, found.agreed) == (3, 2)
    assert found.ratio == pytest.approx(2 / 3)
    assert found.distance == pytest.approx(2 / 3)


def test_without_actions_the_signs_of_the_positions_are_compared():
    """As of a forecast that is bet on."""
    found = ShadowAgreement()
    found.add(rows(["a", "b"], [-1, -1], [0.2, 0.1]), rows(["a", "b"], [-1, -1], [0.9, -0.1]))

    assert (found.pairs, found.agreed) == (2, 1)


def test_before_the_first_pair_nothing_is_said():
    """No share of nothing."""
    found = ShadowAgreement()
    found.add(rows(["a"], [0], [0.0]), NOTHING)

    assert (found.ratio, found.distance) == (None, None)


def test_rows_that_wait_are_bounded(monkeypatch):
    """A champion answers for hours beside a challenger that is never asked."""
    monkeypatch.setattr(shadow_agreement, "KEPT", 10)
    found = ShadowAgreement()
    names = [str(number) for number in range(100)]
    found.add(rows(names, [0] * 100, [0.0] * 100), NOTHING)
    found.add(NOTHING, rows(names, [0] * 100, [0.0] * 100))

    assert found.pairs == 10
