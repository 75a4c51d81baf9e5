"""The alert of a collapse ends by itself, ten minutes after the fault (`keep_firing_for`)."""

from __future__ import annotations

from tests.support.cluster import until


def test_the_alert_is_resolved(watched):
    """The loop's collapse was mended long ago, so nothing fires any more."""
    select = f'alertname="CollapseEvidence", namespace="{watched.namespace}"'

    assert watched.cluster.query(f'max_over_time(ALERTS{{{select}, alertstate="firing"}}[1h])')
    until(
        lambda: not watched.cluster.query(f'ALERTS{{{select}, alertstate="firing"}}'),
        700,
        "the alert to be resolved",
    )
