"""The dashboards over a scripted collapse, in a real Prometheus with the project's own rules."""

from __future__ import annotations

import pytest

from tests.support.dashboards import NAMES, questions
from tests.support.preview import View, draw, require_preview
from tests.support.story import expected
from tests.support.story.server import told

WORDS = {"namespace": ".*", "__rate_interval": "4m", "__interval": "5m", "__range": "4h"}
MODELS = {"fleet": ".*", "incident": ".*", "model": "eurusd-1m", "service": ".*"}

WHOLE = 205 * 60
"""A moment at which everything in the story has happened and something still fires."""

pytestmark = pytest.mark.tools


@pytest.fixture(scope="module")
def prometheus(tmp_path_factory):
    """One that has seen the whole story."""
    with told(tmp_path_factory.mktemp("story")) as running:
        yield running


def ask(prometheus, question, model, at):
    """What a panel would show, by its legend."""
    variables = {**WORDS, "model": model, "action": "HOLD"}
    found = prometheus.query(question.fill(variables), at)
    names = [question.name(series["metric"]) for series in found]

    assert len(set(names)) == len(names), f"{question.key}: two series are called alike"
    return {name: float(series["value"][1]) for name, series in zip(names, found, strict=True)}


@pytest.mark.parametrize("page", NAMES)
def test_every_query_answers_rightly(prometheus, page):
    """Each query of each panel and mark gives exactly the series and values that are true."""
    wanted = {**expected.PAGES[page], **expected.MARKS}
    if page == "model":
        wanted["annotation / Swaps"] = expected.MARKS["annotation / Swaps"]

    assert {q.key for q in questions(page)} == {f"{page} / {key}" for key in wanted}
    wrong = []
    for question in questions(page):
        for at, answer in wanted[question.key.removeprefix(f"{page} / ")].items():
            shown = ask(prometheus, question, MODELS[page], at)
            if shown != pytest.approx(answer, rel=1e-3, abs=1e-6):
                wrong.append(f"{question.key} after {at / 60:.0f} min: {shown}, not {answer}")
    assert not wrong, "\n".join(wrong)


def test_a_broken_feed_is_told_from_a_broken_model(prometheus):
    """The same dashboard of the other model names the feed, and shows what repeats."""
    for question in questions("model"):
        for at, answer in expected.FEED.get(question.key.removeprefix("model / "), {}).items():
            shown = ask(prometheus, question, "btcusd-5m", at)

            assert shown == pytest.approx(answer, rel=1e-3), question.key


@pytest.mark.slow
@pytest.mark.parametrize("theme", ["dark", "light"])
@pytest.mark.parametrize("name", NAMES)
def test_every_panel_can_be_drawn(prometheus, tmp_path, name, theme):
    """Over the whole story each has data, its legend fits, and nothing lies over anything."""
    program = require_preview()
    model = "btcusd-5m" if name == "model" else ""
    view = View(name, WHOLE, minutes=WHOLE // 60 - 5, model=model, theme=theme)
    status, said = draw(program, view, prometheus.url, tmp_path / "drawn.png")

    assert status == 0, said
    assert "warning" not in said
    assert (tmp_path / "drawn.png").stat().st_size > 50_000


@pytest.mark.slow
def test_a_panel_without_data_is_noticed(prometheus, tmp_path):
    """Before anything was exposed no dashboard can be drawn: the test above can fail."""
    program = require_preview()
    view = View("fleet", -3600, minutes=10)
    status, said = draw(program, view, prometheus.url, tmp_path / "drawn.png")

    assert status == 1
    assert "no data" in said
