"""Tables: what instant queries say, one line for each series."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from grafana_foundation_sdk.builders import common, table
from grafana_foundation_sdk.builders.prometheus import Dataquery
from grafana_foundation_sdk.models import common as looks
from grafana_foundation_sdk.models.dashboard import (
    DataTransformerConfig,
    DynamicConfigValue,
    ValueMapping,
)

from grafana.panels import Steps, dressed, steps


def rows(
    title: str,
    description: str,
    columns: Mapping[str, str],
    *queries: Dataquery,
    size: tuple[int, int] = (24, 8),
    by: str | None = None,
    first: str = "",
    empty: str = "nothing to show",
) -> table.Panel:
    """Return a table of what instant queries say.

    Parameters
    ----------
    columns
        Names of fields and what to call them, in their order; all others are hidden.
    by
        The label by which the rows of several queries are joined.
    first
        The column, as it is called, of which the largest numbers stand above.
    """
    panel = dressed(table.Panel(), title, description, "none", queries, size=size).no_value(empty)
    if by is not None:
        panel.with_transformation(
            DataTransformerConfig(id_val="joinByField", options={"byField": by, "mode": "outer"})
        )
    panel.with_transformation(
        DataTransformerConfig(
            id_val="filterFieldsByName", options={"include": {"names": list(columns)}}
        )
    )
    order = {name: place for place, name in enumerate(columns)}
    panel.with_transformation(
        DataTransformerConfig(
            id_val="organize",
            options={"excludeByName": {}, "indexByName": order, "renameByName": dict(columns)},
        )
    )
    if first:
        panel.sort_by([common.TableSortByFieldState().display_name(first).desc(True)])
    return panel.cell_height(looks.TableCellHeight.MD).show_header(True)


def worded(
    panel: table.Panel,
    column: str,
    words: Sequence[ValueMapping],
    *,
    colored: bool = False,
    width: int | None = None,
) -> table.Panel:
    """Say words instead of the numbers of a column, in full, and colour its cells if asked to."""
    cell: dict[str, object] = {"type": "color-background" if colored else "auto", "wrapText": True}
    if colored:
        cell["mode"] = "basic"
    properties = [
        DynamicConfigValue("mappings", list(words)),
        DynamicConfigValue("custom.cellOptions", cell),
        DynamicConfigValue("custom.align", "left"),
    ]
    if width is not None:
        properties.append(DynamicConfigValue("custom.width", width))
    return panel.override_by_name(column, properties)


def measured(
    panel: table.Panel,
    column: str,
    unit: str,
    *,
    colors: Steps | None = None,
    decimals: int | None = None,
    width: int | None = None,
    empty: str = "",
) -> table.Panel:
    """Give a column of numbers its unit, and the colours of its thresholds."""
    properties = [DynamicConfigValue("unit", unit)]
    if empty:
        properties.append(DynamicConfigValue("noValue", empty))
    if decimals is not None:
        properties.append(DynamicConfigValue("decimals", decimals))
    if width is not None:
        properties.append(DynamicConfigValue("custom.width", width))
    if colors is not None:
        properties += [
            DynamicConfigValue("thresholds", steps(colors).build()),
            DynamicConfigValue("custom.cellOptions", {"type": "color-text"}),
            DynamicConfigValue("color", {"mode": "thresholds"}),
        ]
    return panel.override_by_name(column, properties)


def linked(
    panel: table.Panel, column: str, title: str, url: str, *, width: int = 170
) -> table.Panel:
    """Make the cells of a column links."""
    link = {"title": title, "url": url, "targetBlank": False}
    properties = [DynamicConfigValue("links", [link]), DynamicConfigValue("custom.width", width)]
    return panel.override_by_name(column, properties)
