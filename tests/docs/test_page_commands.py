"""Whoever copies a `plumbline` line from a page is understood by the command line."""

from __future__ import annotations

import re

import pytest

from plumbline.cli.command_page import commands as listed
from tests.support.declared import ROOT, declared_metrics
from tests.support.page_command import RUNBOOKS, MisunderstoodError, PageCommand, commands, parse

PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md"), *ROOT.glob("*/README.md")])
ENDPOINTS = {"3000": "plumbline_service_", "3001": "plumbline_monitoring_"}
SHARED = ("plumbline_build_info", "plumbline_store_")


def every(program: str, pages=PAGES) -> list[PageCommand]:
    """Each command of a program, once, wherever it stands."""
    return list({each.words: each for page in pages for each in commands(page, program)}.values())


def inside(command: PageCommand) -> PageCommand | None:
    """What `kubectl exec` runs of ours."""
    if "--" not in command.words:
        return None
    words = command.words[command.words.index("--") + 1 :]
    return PageCommand(command.page, words) if words[0] == "plumbline" else None


def test_every_command_is_understood():
    """By the parser itself: options, arguments and their values; those run in a pod as well."""
    ours = [*every("plumbline"), *filter(None, map(inside, every("kubectl")))]
    wrong = []
    for command in ours:
        try:
            parse(command.given({"MODEL": "eurusd-1h"}))
        except MisunderstoodError as error:
            wrong.append(f"{command.text}: {error}")

    assert len(ours) > 60
    assert wrong == []


@pytest.mark.parametrize(
    "line", ["plumbline models verfy", "plumbline serve --prot 1", "plumbline models promote"]
)
def test_a_misspelt_one_would_be_found(line):
    """The test above can fail."""
    with pytest.raises(MisunderstoodError):
        parse(tuple(line.split()))


def test_commands_in_the_text_exist():
    """Those named in passing may lack what they need; command and options are there."""
    known = dict(listed())
    wrong = []
    for page in PAGES:
        prose = re.sub(r"^```.*?^```", "", page.read_text(), flags=re.M | re.S)
        for code in re.findall(r"`(plumbline [a-z][^`]*)`", prose):
            words = code.split(" -- ")[0].split()
            path = max((n for n in known if f"{' '.join(words)} ".startswith(f"{n} ")), key=len)
            options = {word.split("=")[0].strip("[]") for word in words if "--" in word}
            accepted = {each for parameter in known[path].params for each in parameter.opts}
            if path == "plumbline" or not options <= accepted | {"--help"}:
                wrong.append(f"{page.name}: {code}")

    assert wrong == []


def test_a_runbook_names_the_model():
    """The default model is one of many: a command that takes one says which."""
    own = [*every("plumbline", RUNBOOKS), *filter(None, map(inside, every("kubectl", RUNBOOKS)))]
    silent = [each.text for each in own if "$MODEL" not in each.words]

    assert own
    assert silent == []


@pytest.mark.parametrize("page", RUNBOOKS, ids=lambda page: page.stem)
def test_what_a_runbook_searches_for_is_there(page):
    """Each alternative of a `grep` over metrics finds a series of the process that is asked."""
    names = {
        port: [
            series
            for metric in declared_metrics().values()
            if metric.name.startswith((own, *SHARED))
            for series in metric.series
        ]
        for port, own in ENDPOINTS.items()
    }
    lines = re.findall(r":(300[01])/metrics \| grep -E '([^']+)'", page.read_text())
    assert page.read_text().count("/metrics") == len(lines)
    for port, pattern in lines:
        for part in re.split(r"\|(?![^(]*\))", pattern):
            sample = part.partition(".*")[0]

            assert any(re.search(sample, name) for name in names[port]), f"{part} at {port}"
