"""States become numbers, and numbers the same states again."""

from __future__ import annotations

import re

from grafana import states
from plumbline.bundle.verdict import Verdict
from plumbline.store.incident import IncidentStatus


def words(mappings):
    """The texts of numbers."""
    (mapping,) = mappings
    return {int(number): result.text for number, result in mapping.options.items()}


def test_each_verdict_has_a_number_of_its_own():
    """And the number its word, its meaning and its remedy."""
    asked = states.verdict("model", 'model="m"')
    numbers = {
        name: int(number)
        for number, name in re.findall(r'(\d+) \* max by \(model\) \(.*verdict="(\w+)"', asked)
    }
    unknown = states.Face("?", states.OTHER)

    assert set(numbers) == {each.value for each in Verdict}
    assert len(set(numbers.values())) == len(Verdict)
    for looks, text in (
        (states.VERDICTS, lambda verdict: verdict.value.replace("_", " ")),
        (states.MEANINGS, lambda verdict: verdict.facts.meaning),
        (states.DOINGS, lambda verdict: verdict.facts.doing),
    ):
        said = words(states.mappings(looks, states.ordered_verdicts(), unknown))
        for verdict in Verdict:
            assert said[numbers[verdict.value]] == text(verdict)


def test_the_worse_verdict_is_asked_for_first():
    """Where two monitors disagree, one that withholds sizes counts."""
    order = states.ordered_verdicts()
    sized = [Verdict(name).facts.sized for name in order]

    assert order[0] == "healthy"
    assert sized == sorted(sized, reverse=True)
    assert states.verdict("model", 'm="m"').index('"flat"') < states.verdict(
        "model", 'm="m"'
    ).index('"healthy"')


def test_a_verdict_of_a_plugin_is_seen():
    """It has no number here, and counts as `UNKNOWN`."""
    last = states.verdict("model", 'model="m"').splitlines()[-1]

    assert last == 'or 0 * max by (model) (plumbline_monitoring_verdict{model="m"} == 1)'


def test_every_status_that_an_open_incident_can_have_is_told():
    """All but those that only an ended one has."""
    ended = {IncidentStatus.RESOLVED, IncidentStatus.SUPERSEDED}

    assert set(states.STEPS) == {each.value for each in IncidentStatus} - {e.value for e in ended}


def test_what_happens_next_is_the_incidents_step_or_else_the_verdicts():
    """Numbers of the two never meet."""
    (mapping,) = states.next_words()
    said = {int(number): result.text for number, result in mapping.options.items()}
    beyond = [number for number in said if number >= 100]

    assert [said[number] for number in sorted(set(said) - set(beyond))] == [
        look.text for look in states.STEPS.values()
    ]
    assert len(beyond) == len(Verdict) + 1
    assert said[100 + states.ordered_verdicts().index("frozen_feed") + 1] == (
        "sizes held back, a person is called"
    )
