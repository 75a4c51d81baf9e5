"""`plumbline rules`: the rules of Prometheus, with your links."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

import typer

from plumbline.rules.rule import GRAFANA, RUNBOOKS


class RuleFormat(StrEnum):
    """Who is to read them."""

    PROMETHEUS = "prometheus"
    OPERATOR = "operator"


def rules(
    runbooks: Annotated[
        str, typer.Option(metavar="URL", help="Folder of the runbooks, one page per alert.")
    ] = RUNBOOKS,
    grafana: Annotated[
        str, typer.Option(metavar="URL", help="The Grafana that has the dashboards.")
    ] = GRAFANA,
    form: Annotated[
        RuleFormat,
        typer.Option("--format", help="A file for Prometheus, or a PrometheusRule."),
    ] = RuleFormat.PROMETHEUS,
) -> None:
    """Print the recording and alerting rules for Prometheus.

    Alerts carry links to your runbooks and dashboards. Verdicts of plug-ins raise alerts, too.
    """
    from plumbline.rules.rule import Links
    from plumbline.rules.ruleset import render

    for option, url in (("--runbooks", runbooks), ("--grafana", grafana)):
        if not url.startswith(("http://", "https://")):
            raise typer.BadParameter(
                f"expected an absolute http(s) URL, got {url!r}", param_hint=option
            )
    typer.echo(render(Links(runbooks, grafana), form.value), nl=False)
