"""What is asked of Prometheus, and how often."""

from __future__ import annotations

from grafana_foundation_sdk.builders.prometheus import Dataquery
from grafana_foundation_sdk.models.common import DataSourceRef
from grafana_foundation_sdk.models.prometheus import PromQueryFormat

SOURCE = DataSourceRef(type_val="prometheus", uid="${datasource}")


def ask(expression: str, legend: str = "", ref: str = "A") -> Dataquery:
    """Return a query over the range of time that is shown."""
    return _query(expression, ref).range().legend_format(legend or "__auto")


def ask_now(expression: str, legend: str = "", ref: str = "A") -> Dataquery:
    """Return a query for the present values, or those at the end of the range that is shown."""
    return _query(expression, ref).instant().legend_format(legend or "__auto")


def ask_rows(expression: str, ref: str = "A") -> Dataquery:
    """Return a query for the present values as rows of a table."""
    return _query(expression, ref).instant().format(PromQueryFormat.TABLE)


def ask_buckets(expression: str) -> Dataquery:
    """Return a query for the buckets of a histogram, to be summed ``by (le)``."""
    found = _query(expression, "A").range().format(PromQueryFormat.HEATMAP)
    return found.legend_format("{{le}}")


def events(counter: str, window: str) -> str:
    """Return an expression for what happened in a window, the first event of its kind too.

    A counter of rare events is born with its first one, and ``increase`` needs a sample before it.
    So a series that was not there for an hour before the window counts whole.
    """
    born = f"({counter} unless max_over_time({counter}[1h] offset {window}))"
    return f"{born} or increase({counter}[{window}])"


def _query(expression: str, ref: str) -> Dataquery:
    return Dataquery().expr(expression).ref_id(ref).datasource(SOURCE)
