"""The look that all panels share: one function for each kind of panel, and the queries they ask.

Every panel has a title, a description, a unit and at least one query. Colours mean the same
everywhere: green is well, red a fault of the model, orange one of its input or a warning, grey what
is expected or not known.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TypeAlias, TypeVar

from grafana_foundation_sdk.builders import (
    bargauge,
    common,
    heatmap,
    stat,
    statetimeline,
    table,
    timeseries,
)
from grafana_foundation_sdk.builders.dashboard import FieldColor, ThresholdsConfig
from grafana_foundation_sdk.builders.prometheus import Dataquery
from grafana_foundation_sdk.models import common as looks
from grafana_foundation_sdk.models.dashboard import (
    DataTransformerConfig,
    DynamicConfigValue,
    FieldColorModeId,
    Threshold,
    ThresholdsMode,
    ValueMapping,
)
from grafana_foundation_sdk.models.heatmap import HeatmapColorMode
from grafana_foundation_sdk.models.prometheus import PromQueryFormat

SOURCE = looks.DataSourceRef(type_val="prometheus", uid="${datasource}")
BAND = "#8a919966"
PLAIN = "#7a8087"

Steps: TypeAlias = Mapping[float | None, str]
"""Colours from a value on; None is from below everything."""

AnyPanel: TypeAlias = (
    bargauge.Panel
    | heatmap.Panel
    | stat.Panel
    | statetimeline.Panel
    | table.Panel
    | timeseries.Panel
)
_Panel = TypeVar("_Panel", bound=AnyPanel)


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


def _query(expression: str, ref: str) -> Dataquery:
    return Dataquery().expr(expression).ref_id(ref).datasource(SOURCE)


def steps(colors: Steps) -> ThresholdsConfig:
    """Return thresholds in absolute values."""
    made = [Threshold(value, color) for value, color in colors.items()]
    return ThresholdsConfig().mode(ThresholdsMode.ABSOLUTE).steps(made)


def _common(
    panel: _Panel,
    title: str,
    description: str,
    unit: str,
    queries: Iterable[Dataquery],
    *,
    size: tuple[int, int],
) -> _Panel:
    panel.title(title).description(description).unit(unit).datasource(SOURCE)
    panel.span(size[0]).height(size[1])
    for query in queries:
        panel.with_target(query)
    return panel


def lines(
    title: str,
    description: str,
    unit: str,
    *queries: Dataquery,
    size: tuple[int, int] = (8, 8),
    limits: Steps | None = None,
    low: float | None = None,
    high: float | None = None,
    empty: str = "no predictions in the window",
    log: bool = False,
) -> timeseries.Panel:
    """Return values over time.

    Parameters
    ----------
    limits
        Drawn as dashed lines at their values.
    low, high
        The ends that the axis has at least.
    empty
        Said where there are no values.
    log
        Whether the axis is logarithmic.
    """
    panel = _common(timeseries.Panel(), title, description, unit, queries, size=size).no_value(
        empty
    )
    panel.line_width(2).fill_opacity(0).show_points(looks.VisibilityMode.AUTO)
    panel.point_size(4).span_nulls(False).axis_border_show(False)
    panel.legend(
        common.VizLegendOptions()
        .display_mode(looks.LegendDisplayMode.LIST)
        .placement(looks.LegendPlacement.BOTTOM)
        .show_legend(True)
    )
    panel.tooltip(
        common.VizTooltipOptions()
        .mode(looks.TooltipDisplayMode.MULTI)
        .sort(looks.SortOrder.DESCENDING)
    )
    if limits is not None:
        panel.thresholds(steps({None: "transparent", **limits}))
        panel.thresholds_style(
            common.GraphThresholdsStyleConfig().mode(looks.GraphThresholdsStyleMode.DASHED)
        )
    if low is not None:
        panel.axis_soft_min(low)
    if high is not None:
        panel.axis_soft_max(high)
    if log:
        panel.scale_distribution(
            common.ScaleDistributionConfig().type(looks.ScaleDistribution.LOG).log(10)
        )
    return panel


def banded(panel: timeseries.Panel, low: str, high: str) -> timeseries.Panel:
    """Draw two queries of a panel, by their letters, as the edges of a grey band."""
    edge = [
        DynamicConfigValue("custom.lineWidth", 0),
        DynamicConfigValue("custom.showPoints", "never"),
        DynamicConfigValue("color", {"mode": "fixed", "fixedColor": BAND}),
    ]
    names = {
        target.ref_id: target.legend_format
        for target in panel.build().targets or []
        if isinstance(target, Dataquery().build().__class__)
    }
    panel.override_by_query(low, edge)
    filled = [
        DynamicConfigValue("custom.fillBelowTo", names[low]),
        DynamicConfigValue("custom.fillOpacity", 25),
    ]
    return panel.override_by_query(high, [*edge, *filled])


def faint(panel: timeseries.Panel, ref: str) -> timeseries.Panel:
    """Draw a query of a panel thin and dashed: it is there to compare with."""
    return panel.override_by_query(
        ref,
        [
            DynamicConfigValue("custom.lineWidth", 1),
            DynamicConfigValue("custom.lineStyle", {"fill": "dash", "dash": [6, 4]}),
            DynamicConfigValue("custom.showPoints", "never"),
        ],
    )


def stacked(panel: timeseries.Panel) -> timeseries.Panel:
    """Draw a panel's counts as stacked bars."""
    panel.draw_style(looks.GraphDrawStyle.BARS).fill_opacity(70).line_width(0)
    panel.show_points(looks.VisibilityMode.NEVER)
    return panel.stacking(
        common.StackingConfig().mode(looks.StackingMode.NORMAL).group("A")
    ).axis_soft_min(0)


def number(
    title: str,
    description: str,
    unit: str,
    *queries: Dataquery,
    size: tuple[int, int] = (4, 4),
    colors: Steps | None = None,
    words: Sequence[ValueMapping] = (),
    empty: str = "none",
    filled: bool = False,
    decimals: int | None = None,
) -> stat.Panel:
    """Return the newest value in large type.

    Parameters
    ----------
    colors
        Of the value; grey where none are given.
    words
        What to say instead of a number.
    filled
        Whether the colour is that of the whole panel.
    """
    panel = _common(stat.Panel(), title, description, unit, queries, size=size).no_value(empty)
    panel.graph_mode(looks.BigValueGraphMode.NONE).justify_mode(looks.BigValueJustifyMode.CENTER)
    panel.text_mode(
        looks.BigValueTextMode.VALUE_AND_NAME if filled else looks.BigValueTextMode.AUTO
    )
    panel.color_mode(
        looks.BigValueColorMode.BACKGROUND_SOLID if filled else looks.BigValueColorMode.VALUE
    )
    panel.reduce_options(common.ReduceDataOptions().calcs(["lastNotNull"]).values(False))
    panel.thresholds(steps(colors or {None: "text"})).color_scheme(
        FieldColor().mode(FieldColorModeId.THRESHOLDS)
    )
    if words:
        panel.mappings(list(words))
    return panel.decimals(decimals) if decimals is not None else panel


def timeline(
    title: str,
    description: str,
    *queries: Dataquery,
    words: Sequence[ValueMapping],
    size: tuple[int, int] = (24, 5),
    empty: str = "nothing to show in this range of time",
) -> statetimeline.Panel:
    """Return states over time, one line for each series."""
    panel = _common(statetimeline.Panel(), title, description, "none", queries, size=size)
    panel.no_value(empty).mappings(list(words)).merge_values(True).row_height(0.8)
    panel.show_value(looks.VisibilityMode.AUTO).fill_opacity(85).line_width(0)
    panel.color_scheme(FieldColor().mode(FieldColorModeId.THRESHOLDS))
    panel.thresholds(steps({None: PLAIN}))
    panel.legend(
        common.VizLegendOptions()
        .display_mode(looks.LegendDisplayMode.LIST)
        .placement(looks.LegendPlacement.BOTTOM)
        .show_legend(False)
    )
    return panel


def bars(
    title: str,
    description: str,
    unit: str,
    *queries: Dataquery,
    colors: Steps,
    size: tuple[int, int] = (12, 8),
    low: float = 0,
    high: float = 1,
    empty: str = "nothing to show",
) -> bargauge.Panel:
    """Return one horizontal bar for each series, from `low` to `high`."""
    panel = _common(bargauge.Panel(), title, description, unit, queries, size=size).no_value(empty)
    panel.display_mode(looks.BarGaugeDisplayMode.BASIC).value_mode(looks.BarGaugeValueMode.COLOR)
    panel.orientation(looks.VizOrientation.HORIZONTAL).show_unfilled(True)
    panel.name_placement(looks.BarGaugeNamePlacement.LEFT)
    panel.reduce_options(common.ReduceDataOptions().calcs(["lastNotNull"]).values(False))
    panel.min(low).max(high).thresholds(steps(colors))
    return panel.color_scheme(FieldColor().mode(FieldColorModeId.THRESHOLDS))


def density(
    title: str,
    description: str,
    unit: str,
    query: Dataquery,
    *,
    size: tuple[int, int] = (12, 8),
    empty: str = "no predictions in the window",
) -> heatmap.Panel:
    """Return a histogram over time."""
    panel = _common(heatmap.Panel(), title, description, unit, [query], size=size).no_value(empty)
    panel.calculate(False).cell_gap(1).hide_legend()
    panel.color(
        heatmap.HeatmapColorOptions()
        .mode(HeatmapColorMode.SCHEME)
        .scheme("Blues")
        .steps(32)
        .exponent(0.5)
    )
    return panel.y_axis(heatmap.YAxisConfig().unit(unit).axis_placement(looks.AxisPlacement.LEFT))


def rows(
    title: str,
    description: str,
    columns: Mapping[str, str],
    *queries: Dataquery,
    size: tuple[int, int] = (24, 8),
    by: str | None = None,
    empty: str = "nothing to show",
) -> table.Panel:
    """Return a table of what instant queries say.

    Parameters
    ----------
    columns
        Names of fields and what to call them, in their order; all others are hidden.
    by
        The label by which the rows of several queries are joined.
    """
    panel = _common(table.Panel(), title, description, "none", queries, size=size).no_value(empty)
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
) -> table.Panel:
    """Give a column of numbers its unit, and the colours of its thresholds."""
    properties = [DynamicConfigValue("unit", unit)]
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


def linked(panel: table.Panel, column: str, title: str, url: str) -> table.Panel:
    """Make the cells of a column links."""
    link = {"title": title, "url": url, "targetBlank": False}
    return panel.override_by_name(column, [DynamicConfigValue("links", [link])])
