"""What the four dashboards share: variables, annotations, links, and numbers for the panels."""

from __future__ import annotations

from dataclasses import dataclass, field

from grafana_foundation_sdk.builders import dashboard as builders
from grafana_foundation_sdk.models import dashboard as schema
from typing_extensions import override

from grafana.panels import AnyPanel
from grafana.query import SOURCE
from grafana.states import FAULT, GOOD, MARKET

RUNBOOKS = "https://github.com/plumbline/plumbline/blob/main/docs/runbooks"
STATUS_PAGE = "http://127.0.0.1:3001"

SCOPE = 'namespace=~"$namespace", model=~"$model"'
"""Matchers of what is about a model."""
PLACE = 'namespace=~"$namespace"'
"""Matchers of what is about a service or a monitor as a whole."""


@dataclass(frozen=True)
class Section:
    """A headline with panels under it; the first section of a dashboard has no headline."""

    title: str
    panels: list[AnyPanel]


@dataclass(frozen=True)
class Board:
    """One dashboard.

    Attributes
    ----------
    uid, title, description
        As Grafana has them.
    sections
        From top to bottom.
    models
        ``one`` to look at, or ``many``, or ``none`` where nothing is asked about models.
    extra
        Variables of its own.
    since
        The range of time that is shown at first.
    """

    uid: str
    title: str
    description: str
    sections: list[Section]
    models: str = "many"
    extra: list[schema.VariableModel] = field(default_factory=list)
    since: str = "now-3h"

    def build(self) -> schema.Dashboard:
        """Return the dashboard with everything that all have."""
        page = (
            builders.Dashboard(self.title)
            .uid(self.uid)
            .description(self.description)
            .tags(["plumbline"])
            .time(self.since, "now")
            .timezone("browser")
            .refresh("30s")
            .tooltip(schema.DashboardCursorSync.CROSSHAIR)
            .editable()
        )
        for section in self.sections:
            if section.title:
                page.with_row(builders.Row(section.title))
            for panel in section.panels:
                page.with_panel(panel)
        built = page.build()
        built.schema_version = 41
        built.templating = schema.DashboardDashboardTemplating(
            list_val=[*_variables(self.models), *self.extra, *_addresses()]
        )
        built.annotations = schema.AnnotationContainer(list_val=_annotations(self.models))
        built.links = _links()
        for place, shown in enumerate(built.panels or [], start=1):
            shown.id_val = place
        return built


def hidden(name: str, query: str) -> schema.VariableModel:
    """Return a variable that only repeats panels: all values of a label."""
    found = _query(name, name, query).hide(schema.VariableHide.HIDE_VARIABLE)
    return _all(found).build()


def _variables(choice: str) -> list[schema.VariableModel]:
    source = builders.DatasourceVariable("datasource").label("Prometheus").type("prometheus")
    namespace = _query(
        "namespace", "Namespace", "label_values(plumbline_build_info, namespace)"
    ).all_value(".*")
    found = [source.build(), _all(namespace).build()]
    if choice == "none":
        return found
    model = _query(
        "model", "Model", f"label_values(plumbline_service_predictions_total{{{PLACE}}}, model)"
    )
    return [*found, model.build() if choice == "one" else _all(model.all_value(".*")).build()]


def _query(name: str, label: str, query: str) -> builders.QueryVariable:
    return (
        builders.QueryVariable(name)
        .label(label)
        .query(query)
        .datasource(SOURCE)
        .refresh(schema.VariableRefresh.ON_TIME_RANGE_CHANGED)
        .sort(schema.VariableSort.ALPHABETICAL_ASC)
    )


def _all(variable: builders.QueryVariable) -> builders.QueryVariable:
    everything = schema.VariableOption(selected=True, text="All", value="$__all")
    return variable.multi(True).include_all(True).current(everything)


def _addresses() -> list[schema.VariableModel]:
    texts = {
        "status_page": ("Status page", STATUS_PAGE),
        "runbooks": ("Runbooks", RUNBOOKS),
    }
    return [
        builders.TextBoxVariable(name).label(label).default_value(url).build()
        for name, (label, url) in texts.items()
    ]


class _Marker(schema.AnnotationQuery):
    """An annotation with the words that Grafana's Prometheus data source puts on it."""

    words: str = ""

    @override
    def to_json(self) -> dict[str, object]:
        return {**super().to_json(), "titleFormat": self.words, "step": "30s"}


def _annotations(choice: str) -> list[schema.AnnotationQuery]:
    where = PLACE if choice == "none" else SCOPE
    opened = f"plumbline_monitoring_open_incident{{{where}}}"
    watching = f'plumbline_monitoring_open_incident{{{where}, status="watching"}}'
    serving = f'plumbline_service_model_info{{{where}, role="champion"}}'
    marks = [
        (
            "Incidents",
            FAULT,
            "incident: {{model}}, {{verdict}}",
            f"max by (model, verdict) ({opened}) == 1",
        ),
        ("Promotions", GOOD, "promoted: {{model}}", _newly(watching, "model")),
        (
            "Swaps",
            MARKET,
            "{{version}} serves {{model}}",
            _newly(serving, "model, version, generation"),
        ),
    ]
    found: list[schema.AnnotationQuery] = []
    for name, color, words, expression in marks:
        mark = _Marker(name=name, datasource=SOURCE, icon_color=color, expr=expression)
        mark.words = words
        found.append(mark)
    return found


def _newly(series: str, by: str) -> str:
    """Return an expression that holds for a moment when series appear; a restart is none."""
    return (
        f"group by ({by}) ({series} == 1)\n"
        f"unless group by ({by}) (max_over_time({series}[1h] offset 1m) == 1)"
    )


def _links() -> list[schema.DashboardLink]:
    pages = schema.DashboardLink(
        title="Plumbline",
        type_val=schema.DashboardLinkType.DASHBOARDS,
        icon="external link",
        tags=["plumbline"],
        include_vars=True,
        keep_time=True,
    )
    outside = [
        ("Status page", "${status_page}/", "What is the matter, in sentences, with evidence"),
        ("Drift reports", "${status_page}/#reports", "The newest drift reports of this model"),
        ("Runbooks", "${runbooks}/", "What each alert means and what to do"),
    ]
    return [
        pages,
        *(
            schema.DashboardLink(
                title=title, url=url, tooltip=tooltip, icon="external link", target_blank=True
            )
            for title, url, tooltip in outside
        ),
    ]
