"""The look that all panels share: one function for each kind of panel; tables are in `tables.py`.

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
    DynamicConfigValue,
    FieldColorModeId,
    Threshold,
    ThresholdsMode,
    ValueMapping,
)
from grafana_foundation_sdk.models.heatmap import HeatmapColorMode

from grafana.query import SOURCE, ask, events

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


def steps(colors: Steps) -> ThresholdsConfig:
    """Return thresholds in absolute values."""
    made = [Threshold(value, color) for value, color in colors.items()]
    return ThresholdsConfig().mode(ThresholdsMode.ABSOLUTE).steps(made)


def dressed(
    panel: _Panel,
    title: str,
    description: str,
    unit: str,
    queries: Iterable[Dataquery],
    *,
    size: tuple[int, int],
) -> _Panel:
    """Return a panel with what every panel has."""
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
    shades: bool = False,
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
    shades
        Whether all lines are of one colour, because they are versions of one thing.
    """
    panel = dressed(timeseries.Panel(), title, description, unit, queries, size=size).no_value(
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
    if shades:
        panel.color_scheme(FieldColor().mode(FieldColorModeId.SHADES).fixed_color("blue"))
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
    unnamed = DynamicConfigValue(
        "custom.hideFrom", {"legend": True, "tooltip": False, "viz": False}
    )
    panel.override_by_query(low, [*edge, unnamed])
    filled = [
        DynamicConfigValue("custom.fillBelowTo", names[low]),
        DynamicConfigValue("custom.fillOpacity", 25),
    ]
    return panel.override_by_query(high, [*edge, *filled])


def faint(panel: timeseries.Panel, ref: str, color: str = "") -> timeseries.Panel:
    """Draw a query of a panel thin and dashed: it is there to compare with."""
    return panel.override_by_query(
        ref,
        [
            DynamicConfigValue("custom.lineWidth", 1),
            DynamicConfigValue("custom.lineStyle", {"fill": "dash", "dash": [6, 4]}),
            DynamicConfigValue("custom.showPoints", "never"),
            *(
                [DynamicConfigValue("color", {"mode": "fixed", "fixedColor": color})]
                if color
                else []
            ),
        ],
    )


def counts(
    title: str,
    description: str,
    counter: str,
    by: str,
    *,
    size: tuple[int, int] = (6, 7),
    empty: str = "none yet",
) -> timeseries.Panel:
    """Return events as stacked bars, each in one bar, that of the five minutes or more it fell in.

    Parameters
    ----------
    counter
        With its matchers.
    by
        The labels that tell the events apart, with commas.
    """
    legend = " ".join(f"{{{{{label}}}}}" for label in by.split(", "))
    query = ask(f"round(sum by ({by}) ({events(counter, '$__interval')}))", legend)
    panel = lines(
        title, description, "short", query.interval("5m"), size=size, low=0, high=1, empty=empty
    )
    panel.draw_style(looks.GraphDrawStyle.BARS).fill_opacity(70).line_width(0).decimals(0)
    panel.show_points(looks.VisibilityMode.NEVER)
    return panel.stacking(common.StackingConfig().mode(looks.StackingMode.NORMAL).group("A"))


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
    letters: int | None = None,
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
    letters
        Their height in pixels; as large as there is room if None.
    """
    panel = dressed(stat.Panel(), title, description, unit, queries, size=size).no_value(empty)
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
    if letters is not None:
        panel.text(common.VizTextDisplayOptions().value_size(letters).title_size(letters))
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
    panel = dressed(statetimeline.Panel(), title, description, "none", queries, size=size)
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
    high: float | None = 1,
    empty: str = "nothing to show",
) -> bargauge.Panel:
    """Return one horizontal bar for each series, from `low` to `high` or the largest."""
    panel = dressed(bargauge.Panel(), title, description, unit, queries, size=size).no_value(empty)
    panel.display_mode(looks.BarGaugeDisplayMode.BASIC).value_mode(looks.BarGaugeValueMode.COLOR)
    panel.orientation(looks.VizOrientation.HORIZONTAL).show_unfilled(True)
    panel.name_placement(looks.BarGaugeNamePlacement.LEFT)
    panel.reduce_options(common.ReduceDataOptions().calcs(["lastNotNull"]).values(False))
    panel.text(common.VizTextDisplayOptions().value_size(18).title_size(14))
    panel.min(low).thresholds(steps(colors))
    if high is not None:
        panel.max(high)
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
    panel = dressed(heatmap.Panel(), title, description, unit, [query], size=size).no_value(empty)
    panel.calculate(False).cell_gap(1).hide_legend()
    panel.color(
        heatmap.HeatmapColorOptions()
        .mode(HeatmapColorMode.SCHEME)
        .scheme("Blues")
        .steps(32)
        .exponent(0.5)
    )
    return panel.y_axis(heatmap.YAxisConfig().unit(unit).axis_placement(looks.AxisPlacement.LEFT))
