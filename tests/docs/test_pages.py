"""The pages name what the code has, and nothing else."""

from __future__ import annotations

import re
import subprocess
from importlib import import_module

import pytest

from tests.support.declared import ROOT, alerts, declared_metrics, rules
from tests.support.programs import require_program

DOCS = ROOT / "docs"
README = ROOT / "README.md"


def pages():
    """Every page a person reads."""
    return sorted([*ROOT.glob("*.md"), *DOCS.rglob("*.md")])


def name_of(path):
    return str(path.relative_to(ROOT))


def test_the_readme_is_short():
    """One sentence, one picture, run it, map, links: 150 lines."""
    assert len(README.read_text().splitlines()) <= 150


def test_targets_in_pages_exist():
    """Each `make` command on a page is a target of the Makefile."""
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.M))
    used = {
        target
        for page in pages()
        for target in re.findall(r"(?:^|`)make ([a-z-]+)", page.read_text(), re.M)
    }

    assert {"run", "test"} <= used <= targets


def test_the_command_page_is_up_to_date():
    """docs/cli.md is what `python -m plumbline.cli.command_page` writes."""
    from plumbline.cli.command_page import PAGE, render

    assert PAGE.read_text() == render()


def test_the_settings_page_is_up_to_date():
    """docs/settings.md is what `python -m plumbline.cli.settings_page` writes."""
    from plumbline.cli.settings_page import PAGE, render

    assert PAGE.read_text() == render()


def test_every_setting_is_explained():
    """No field of the settings lacks its description."""
    from plumbline.monitoring.settings import MonitoringSettings
    from plumbline.service.settings import ServiceSettings

    for settings in (ServiceSettings, MonitoringSettings):
        for name, field in settings.model_fields.items():
            assert field.description, name


def test_the_services_page_names_every_endpoint():
    """With its method, as the list says from which routes and the document are made."""
    from plumbline.service.endpoint import ENDPOINTS

    page = (DOCS / "service.md").read_text()
    for endpoint in ENDPOINTS:
        assert f"{endpoint.method} {endpoint.path}" in page, endpoint.name


def test_the_metrics_page_is_complete():
    """Every metric has a row, and every row a metric."""
    rows = set(re.findall(r"^\| `([a-z_:]+)` \|", (DOCS / "metrics.md").read_text(), re.M))

    assert rows == set(declared_metrics())


def test_the_page_of_the_alerts_has_every_recording_rule():
    """By its name without the window; sums, of which figures are made, are no row of their own."""
    rows = set(re.findall(r"^\| `(plumbline:[a-z_:]+)` \|", (DOCS / "alerts.md").read_text(), re.M))
    recorded = {rule["record"] for rule in rules() if "record" in rule}
    figures = {name for name in recorded if ":sum_" not in name}

    assert rows == {re.sub(r"_?(5m|30m|1h|6h|1d|3d)$", "", name) for name in figures}


def test_the_metrics_page_tells_the_labels():
    """The labels of each metric stand in its row."""
    page = (DOCS / "metrics.md").read_text()
    for name, metric in declared_metrics().items():
        row = re.search(rf"^\| `{name}` \| ([^|]*)\|", page, re.M)

        assert row is not None
        assert tuple(filter(None, row[1].strip().split(", "))) == metric.labels, name


def test_every_alert_has_a_runbook():
    """One page for each alert, and none without."""
    assert {page.stem for page in (DOCS / "runbooks").glob("*.md")} == set(alerts())


@pytest.mark.parametrize("name", alerts())
def test_a_runbook_has_four_parts(name):
    """What it means, what is done already, where to look on a laptop and in a cluster, and when."""
    text = (DOCS / "runbooks" / f"{name}.md").read_text()
    parts = re.findall(r"^\*\*([\w ]+)\.\*\*", text, re.M)
    laptop, cluster, *_ = re.findall(r"^```bash\n(.*?)^```", text, re.M | re.S)

    assert text.startswith(f"# {name}\n")
    assert parts == ["Meaning", "What the system does", "Look", "When to intervene"]
    assert "kubectl" not in laptop
    assert all("kubectl" in line for line in cluster.splitlines())


def test_the_alert_table_is_right():
    """Severity and waiting time on the page are those of the rules."""
    page = (DOCS / "alerts.md").read_text()
    table = re.findall(r"^\| \[(\w+)\]\(\S+\) \| (\w+) \| .* \| ([\w ]+) \|$", page, re.M)
    expected = {
        (name, alert["labels"]["severity"], alert.get("for", "0").replace("m", " m"))
        for name, alert in alerts().items()
    }

    assert set(table) == expected


def test_every_plugin_is_documented():
    """The table of docs/plugins.md has every kind with its base class and what is built in."""
    from plumbline.cli.plugins import registries

    rows = re.findall(
        r"^\| `(\w+)` \| `([\w.]+)` \| .* \| (.*) \|$", (DOCS / "plugins.md").read_text(), re.M
    )
    for _, base, _ in rows:
        module, _, name = base.rpartition(".")
        assert hasattr(import_module(module), name)

    assert {kind: (base.rpartition(".")[2], names) for kind, base, names in rows} == {
        kind: (
            registry.base.__name__,
            ", ".join(f"`{each.name}`" for each in registry.plugins() if each.source == "built-in"),
        )
        for kind, registry in registries().items()
    }


def test_every_contract_is_documented():
    """The table of docs/plugins.md has every function of `plumbline.testing` that checks a kind."""
    from plumbline import testing

    rows = re.findall(r"^\| `(check_\w+)` \|", (DOCS / "plugins.md").read_text(), re.M)

    assert sorted(rows) == [name for name in testing.__all__ if name.startswith("check_")]


@pytest.mark.parametrize("kind", ["labels", "losses", "families", "feature_sets", "drills"])
def test_every_choice_is_explained(kind):
    """Each name a user can choose stands on the page of its kind, too."""
    from plumbline.cli.plugins import registries

    text = "\n".join(p.read_text() for p in pages() if p.name not in ("CHANGELOG.md", "plugins.md"))

    assert [name for name in registries()[kind] if f"`{name}`" not in text] == []


def test_the_verdict_table_is_right():
    """Order, side, remedy and sizes on docs/diagnosis.md are those of the code."""
    from plumbline.bundle.verdict import Verdict
    from plumbline.diagnosis.verdicts import VERDICTS

    rows = re.findall(
        r"^\| (\d*) ?\| `(\w+)` \| .* \| ([\w ]+) \| ([\w ]+) \| ([\w ]+) \|$",
        (DOCS / "diagnosis.md").read_text(),
        re.M,
    )
    order = [Verdict(name) for number, name, *_ in rows if number]
    facts = {name: (side, remedy, sizes) for _, name, side, remedy, sizes in rows}

    assert order == list(VERDICTS)
    assert facts == {
        verdict.value: (
            verdict.facts.side.value,
            verdict.facts.remedy.value.replace("_", " "),
            "go on" if verdict.facts.sized else "0",
        )
        for verdict in Verdict
    }


def test_the_detector_table_is_right():
    """What each detector accuses on docs/detection.md is what it accuses in the code."""
    from plumbline.monitoring.watching.detectors import DETECTORS

    page = (DOCS / "detection.md").read_text()
    rows = dict(re.findall(r"^\| `(\w+)` \| (`\w+`|the model) \|", page, re.M))

    assert rows == {
        name: f"`{kind.accuses}`" if kind.of_input() else "the model"
        for name, kind in DETECTORS.items()
    }


def test_the_alerts_know_the_verdicts():
    """Sets of verdicts in the rules are those of the table."""
    from plumbline.bundle.verdict import Verdict
    from plumbline.rules.blame import alert_about

    raised = {alert_about(verdict.facts) for verdict in Verdict} - {None}
    known = {
        "|".join(sorted(verdict for verdict in Verdict if chosen(verdict)))
        for chosen in (
            lambda verdict: verdict.facts.of_input,
            lambda verdict: verdict.facts.sized,
            *(lambda verdict, alert=alert: alert_about(verdict.facts) == alert for alert in raised),
        )
    }
    text = "\n".join(str(rule["expr"]) for rule in rules())
    used = re.findall(r'(?:verdict|reason)[!=]~"([a-z_|]+)"', text)

    assert used
    assert {"|".join(sorted(names.split("|"))) for names in used} <= known


@pytest.mark.parametrize("page", pages(), ids=name_of)
def test_links_resolve(page):
    """A link inside the repository leads to a file, and its anchor to a heading."""
    for target in re.findall(r"\]\(([^)\s]+)\)", page.read_text()):
        if re.match(r"[a-z]+:", target):
            continue
        path, _, anchor = target.partition("#")
        file = (page.parent / path) if path else page

        assert file.exists(), f"{target}: no such file"
        if anchor:
            headings = re.findall(r"^#+ (.+)$", file.read_text(), re.M)
            slugs = {
                re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings
            }
            assert anchor in slugs, f"{target}: no such heading"


def test_pictures_are_light() -> None:
    """A clone and a page of the docs load them all."""
    heavy = [p.name for p in (ROOT / "docs" / "images").iterdir() if p.stat().st_size > 300_000]

    assert heavy == []


def test_no_machine_paths():
    """No tracked file knows where it was written."""
    listing = subprocess.run(
        [require_program("git"), "ls-files", "-z"], cwd=ROOT, capture_output=True, check=True
    )
    wrong = []
    for name in filter(None, listing.stdout.decode().split("\0")):
        path = ROOT / name
        if not path.is_file() or path == ROOT / "tests" / "docs" / "test_pages.py":
            continue
        text = path.read_text(errors="ignore")
        wrong += [
            name
            for match in re.findall(r"(?<![\w.])/(?:work|home|root|Users)/\w+", text)
            if match != "/home/plumbline"
        ]

    assert wrong == []
