"""Names of metrics follow Prometheus' conventions, and say whose they are."""

from __future__ import annotations

import re

import pytest

from tests.support.declared import declared_metrics

OWN = r"plumbline_(service|monitoring|store)_[a-z_]+|plumbline_build_info"
STANDARD = r"process_[a-z_]+|python_gc_[a-z_]+"
WRONG_UNITS = r"_(ms|millis\w*|micros\w*|minutes|hours|days|kb|mb|percent|kilobytes)(_|$)"
STATES = {"plumbline_monitoring_verdict", "plumbline_monitoring_leader"}


@pytest.mark.parametrize("metric", declared_metrics().values(), ids=lambda metric: metric.name)
def test_a_name_follows_the_conventions(metric):
    """Prefix, base units, ``_total`` for counters alone, and no state called a ratio."""
    assert re.fullmatch(f"{OWN}|{STANDARD}", metric.name)
    assert not re.search(WRONG_UNITS, metric.name)
    assert metric.name.endswith("_total") == (metric.kind == "counter")
    assert metric.kind != "histogram" or re.search(r"_(seconds|ratio|bytes)$", metric.name)
    assert not metric.name.endswith(("_bucket", "_sum", "_created"))


def test_states_are_no_ratios():
    """What is 1 or 0 is named after what it says."""
    assert set(declared_metrics()) >= STATES
    assert not {f"{name}_ratio" for name in STATES} & set(declared_metrics())
