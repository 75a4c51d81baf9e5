"""One real model of every kind: trained, gated, served, watched, collapsed and named."""

from __future__ import annotations

import pytest

from benchmarks.kinds import KINDS, SOUND, Walk, run


@pytest.fixture(scope="module")
def walks() -> dict[str, Walk]:
    """Walk all of them through one service."""
    return {each.kind: each for each in run()}


@pytest.mark.slow
@pytest.mark.timeout(600)
@pytest.mark.parametrize("kind", [kind.name for kind in KINDS])
def test_a_kind_goes_all_the_way(walks: dict[str, Walk], kind: str) -> None:
    """Its gate passes it, every row is answered and judged, and only the broken one is accused."""
    found = walks[kind]

    assert found.passed
    assert found.served >= SOUND
    assert found.watched == found.served
    assert found.verdict_sound in {"healthy", "regime"}
    assert found.verdict_broken == "flat"
    assert 0 < found.detected_after <= 120
