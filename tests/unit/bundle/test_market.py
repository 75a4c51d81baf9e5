"""What two versions of one model must share."""

from __future__ import annotations

from dataclasses import replace

import pytest

from plumbline.bundle.market import Market
from tests.support.bundles import small_bundle

BTC = Market("/data/btc.csv", ("BTC", "ETH"), 3600)


def test_a_market_is_read_from_a_manifest():
    """Source, symbols and interval."""
    manifest, _ = small_bundle()

    assert Market.of(manifest) == Market("a seeded random series", ("EURUSD",), 3600)


def test_the_order_of_symbols_makes_no_difference():
    """Nor does anything else that is the same."""
    assert BTC.differences(BTC) == ()
    assert BTC.differences(replace(BTC, symbols=("ETH", "BTC"))) == ()


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"source": "eurusd-1h"}, "its bars come from eurusd-1h, expected /data/btc.csv"),
        ({"symbols": ()}, "its symbols are none, expected BTC, ETH"),
        ({"interval_seconds": 60}, "its bars last 60 s, expected 3600 s"),
    ],
)
def test_each_difference_is_named(changes, said):
    """What came and what was expected."""
    assert BTC.differences(replace(BTC, **changes)) == (said,)
