"""Every noun that names a class is explained in docs/glossary.md, and has one meaning."""

from __future__ import annotations

import ast
import re
from functools import cache

import pytest

from tests.support.declared import ROOT

ROOMS = (
    "bundle",
    "drawing",
    "store",
    "diagnosis",
    "training",
    "rules",
    "service",
    "monitoring",
    "drills",
    "cli",
    "plumbline/client",
    "grafana",
)
GLOSSARY = ROOT / "docs" / "glossary.md"


@cache
def rows() -> list[tuple[str, str]]:
    """Each row of each table: what is explained, and how."""
    found = re.findall(r"^\| ([^|]+) \| (.+) \|$", GLOSSARY.read_text(), re.M)
    return [row for row in found if not row[0].startswith(("-", "word", "noun"))]


@cache
def terms() -> list[str]:
    """The words explained, in lower case; a row may explain several."""
    return [
        re.sub(r" \(.*\)|-", "", term).strip("`*").lower()
        for row, _ in rows()
        for term in row.split(", ")
    ]


@cache
def classes() -> dict[str, frozenset[str]]:
    """Each public class at the top of a module, with the classes it is made from."""
    found: dict[str, frozenset[str]] = {}
    for room in ROOMS:
        for path in sorted((ROOT / room).rglob("*.py")):
            for node in ast.parse(path.read_text()).body:
                if isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
                    bases = {re.split(r"[\[.]", ast.unparse(base))[0] for base in node.bases}
                    found[node.name] = found.get(node.name, frozenset()) | bases
    return found


def explained(name: str) -> bool:
    """Whether the glossary has the class's words, or their last ones, or those of its base.

    ``VerdictTrigger`` is explained as a verdict trigger or as a trigger, ``ProgressLines`` as a
    line, and ``Frozen`` as the detector that it derives from.
    """
    words = [word.lower() for word in re.findall(r"[A-Z][a-z0-9]*", name)]
    tails = {" ".join(words[start:]) for start in range(len(words))}
    if (tails | {tail.removesuffix("s") for tail in tails}) & set(terms()):
        return True
    return any(base in classes() and explained(base) for base in classes()[name])


@pytest.mark.parametrize("name", classes())
def test_a_noun_that_names_a_class_is_explained(name: str) -> None:
    """By a row of its own, by its last word, or by its base."""
    assert explained(name), "add a row to docs/glossary.md, or choose a word that is there"


def test_a_word_is_explained_once() -> None:
    """One meaning each."""
    twice = {term for term in terms() if terms().count(term) > 1}

    assert twice == set()


def test_the_words_are_in_order() -> None:
    """So that one finds them."""
    for table in GLOSSARY.read_text().split("\n\n"):
        words = [row.strip("`*").lower() for row in re.findall(r"^\| ([^|]+) \|", table, re.M)][2:]

        assert words == sorted(words)
