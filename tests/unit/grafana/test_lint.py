"""Each rule of the lint finds a dashboard that breaks it."""

from __future__ import annotations

import copy

import pytest

from grafana import lint
from tests.support.dashboards import page


@pytest.fixture(scope="module")
def sound():
    """A dashboard without a fault."""
    return page("fleet")


def shown(dashboard):
    return [panel for panel in dashboard["panels"] if panel["type"] != "row"]


def second_id(dashboard):
    dashboard["panels"][1]["id"] = dashboard["panels"][0]["id"]


def second_title(dashboard):
    shown(dashboard)[1]["title"] = shown(dashboard)[0]["title"]


def no_unit(dashboard):
    del shown(dashboard)[0]["fieldConfig"]["defaults"]["unit"]


def no_description(dashboard):
    shown(dashboard)[0]["description"] = ""


def no_words_for_nothing(dashboard):
    del shown(dashboard)[0]["fieldConfig"]["defaults"]["noValue"]


def wrong_uid(dashboard):
    dashboard["uid"] = "fleet"


def overlap(dashboard):
    shown(dashboard)[1]["gridPos"]["x"] -= 1


def too_wide(dashboard):
    shown(dashboard)[5]["gridPos"]["w"] += 1


def unknown_variable(dashboard):
    shown(dashboard)[0]["targets"][0]["expr"] += ' or up{job="$job"}'


def idle_variable(dashboard):
    dashboard["templating"]["list"].append({"name": "idle", "type": "textbox", "query": "x"})


def relative_link(dashboard):
    dashboard["links"][1]["url"] = "docs/runbooks/"


def link_to_no_address(dashboard):
    for variable in dashboard["templating"]["list"]:
        if variable["name"] == "status_page":
            variable["query"] = "localhost"


def no_query(dashboard):
    shown(dashboard)[0]["targets"] = []


def empty_query(dashboard):
    shown(dashboard)[0]["targets"][0]["expr"] = " "


def one_letter(dashboard):
    shown(dashboard)[0]["targets"] *= 2


def other_source(dashboard):
    shown(dashboard)[0]["targets"][0]["datasource"] = {"type": "prometheus", "uid": "mine"}


@pytest.mark.parametrize(
    ("break_it", "said"),
    [
        (second_id, "two panels have the id 1"),
        (second_title, "two panels are called Models not well"),
        (no_unit, "Models not well has no unit"),
        (no_description, "Models not well has no description"),
        (no_words_for_nothing, "Models not well says nothing where it has no data"),
        (wrong_uid, "the uid is 'fleet', expected plumbline-…"),
        (overlap, "Models not well and Open incidents lie over each other"),
        (too_wide, "Answers per second goes beyond the 24 columns of the page"),
        (unknown_variable, "$job is used and is no variable of the dashboard"),
        (idle_variable, "$idle is a variable that nothing uses"),
        (relative_link, "the link docs/runbooks/ is not absolute"),
        (
            link_to_no_address,
            "the link ${status_page}/ begins with a variable that is no absolute address",
        ),
        (no_query, "Models not well asks nothing"),
        (empty_query, "query A of Models not well is empty"),
        (one_letter, "two queries of Models not well have one letter"),
        (other_source, "Models not well asks another data source than the one that is chosen"),
    ],
)
def test_a_fault_is_found(sound, break_it, said):
    """One change, and its sentence."""
    broken = copy.deepcopy(sound)
    break_it(broken)

    assert said in lint.faults(broken)
    assert said not in lint.faults(sound)
