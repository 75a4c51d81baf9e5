"""Times as whole microseconds, and back."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from plumbline.bundle.moment import SECOND, microseconds, moment_of


@given(st.integers(-(10**16), 10**17))
def test_there_and_back_is_exact(count):
    """Over six thousand years no microsecond is lost, as one is where floats are used."""
    assert microseconds(moment_of(count)) == count


def test_the_epoch_and_another_zone():
    """Counted from 1970 in UTC, whatever zone the time is given in."""
    tokyo = timezone(timedelta(hours=9))

    assert microseconds(datetime(1970, 1, 1, 0, 0, 1, tzinfo=UTC)) == SECOND
    assert microseconds(datetime(1970, 1, 1, 9, tzinfo=tokyo)) == 0


def test_a_time_without_a_zone_is_refused():
    """It could mean any of twenty-four moments."""
    with pytest.raises(ValueError, match="expected a time with a time zone, found 2020-01-01"):
        microseconds(datetime(2020, 1, 1))
