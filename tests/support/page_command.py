"""The commands in the code blocks of our pages, as a shell would take them apart."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import typer
import typer.main
from typer.core import TyperGroup

from plumbline.cli.main import app
from tests.support.declared import ROOT

RUNBOOKS = sorted((ROOT / "docs" / "runbooks").glob("*.md"))
_OPERATORS = frozenset("();|&<>")
_KEYWORDS = frozenset({"do", "done", "for", "in", "if", "then", "else", "fi", "while", "$"})


@dataclass(frozen=True)
class PageCommand:
    """One command of a page: where it stands, and its words."""

    page: Path
    words: tuple[str, ...]

    @property
    def text(self) -> str:
        """For messages."""
        return f"{self.page.name}: {shlex.join(self.words)}"

    def given(self, variables: Mapping[str, str]) -> tuple[str, ...]:
        """Return the words with variables filled in; what is not known stands for a version."""

        def value(match: re.Match[str]) -> str:
            return variables.get(match[1], "0123456789abcdef")

        return tuple(re.sub(r"\$(\w+)", value, word) for word in self.words)


def commands(page: Path, program: str) -> Iterator[PageCommand]:
    """Yield every command of a program in the bash blocks of a page, those within others too."""
    for block in re.findall(r"^```bash\n(.*?)^```", page.read_text(), re.M | re.S):
        for line in block.replace("\\\n", " ").splitlines():
            for words in _split(line):
                if Path(words[0]).name == program:
                    yield PageCommand(page, (program, *words[1:]))


def _split(line: str) -> Iterator[tuple[str, ...]]:
    """Yield the simple commands of a line, without assignments and comments."""
    lexer = shlex.shlex(line, posix=True, punctuation_chars=True)
    lexer.whitespace_split = True
    found: list[str] = []
    for token in [*lexer, ";"]:
        ends = set(token) <= _OPERATORS or token in _KEYWORDS
        if ends and found:
            yield tuple(found)
        if ends:
            found = []
        elif found or not re.fullmatch(r"\w+=.*", token):
            found.append(token)


class MisunderstoodError(Exception):
    """The command line has no such command, option or argument, or refuses a value."""


@cache
def _root() -> TyperGroup:
    return typer.main.get_group(app)


def parse(words: tuple[str, ...]) -> None:
    """Have the command line's own parser read a command, up to where it would begin to work.

    Raises
    ------
    MisunderstoodError
        If it would not be understood.
    """
    command: Any = _root()
    context, rest, name = None, list(words[1:]), "plumbline"
    try:
        while True:
            context = command.make_context(name, rest, parent=context)
            rest = [*getattr(context, "_protected_args", ()), *context.args]
            if not isinstance(command, TyperGroup) or not rest:
                return
            name, command, rest = command.resolve_command(context, rest)
    except RuntimeError as error:  # typer has click's exceptions or its own
        if not isinstance(error, typer.Exit):  # `--help` ends so
            raise
    except Exception as error:
        if not hasattr(error, "format_message"):
            raise
        raise MisunderstoodError(error.format_message()) from error
