"""Writes ``docs/cli.md`` from the commands themselves: ``python -m plumbline.cli.command_page``."""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from pathlib import Path
from typing import Any, TypeAlias

import typer.main
from typer.core import TyperCommand, TyperGroup, TyperOption

from plumbline.cli.main import app

Command: TypeAlias = TyperGroup | TyperCommand
PAGE = Path(__file__).resolve().parents[1] / "docs" / "cli.md"

_HEAD = """\
# Commands

Written by `python -m plumbline.cli.command_page`; a test holds it to the code.
`plumbline COMMAND --help` says the same.

Exit codes: 0 done; 1 refused or failed, with a message on stderr that says what to do; 2 usage.
With `--json` a command prints one JSON document to stdout and everything else to stderr.
"""


def render() -> str:
    """Return the page."""
    return "\n".join([_HEAD, *(_section(path, command) for path, command in commands())])


def commands() -> Iterator[tuple[str, Command]]:
    """Yield every command with its full name, groups before their members."""
    root = typer.main.get_group(app)
    yield "plumbline", root
    yield from _walk("plumbline", root)


def _walk(path: str, group: TyperGroup) -> Iterator[tuple[str, Command]]:
    for name, child in group.commands.items():
        if isinstance(child, TyperGroup | TyperCommand):
            yield f"{path} {name}", child
        if isinstance(child, TyperGroup):
            yield from _walk(f"{path} {name}", child)


def _section(path: str, command: Command) -> str:
    lines = [f"## `{path}`", "", inspect.cleandoc(command.help or ""), ""]
    rows = [_row(parameter) for parameter in command.params]
    if rows:
        lines += ["| parameter | default | meaning |", "|---|---|---|", *rows, ""]
    return "\n".join(lines)


def _row(parameter: Any) -> str:
    if isinstance(parameter, TyperOption):
        name = ", ".join(f"`{option}`" for option in (*parameter.opts, *parameter.secondary_opts))
    else:
        name = f"`{parameter.name.upper()}`"
    text = str(getattr(parameter, "help", None) or "").replace("|", "\\|")
    return f"| {name} | {_default(parameter)} | {text} |"


def _default(parameter: Any) -> str:
    shown = getattr(parameter, "show_default", None)
    if parameter.required:
        return "required"
    if isinstance(shown, str):
        return f"`{shown}`"
    default = parameter.default
    if default is None or callable(default) or default in (False, (), []):
        return ""
    return f"`{default}`"


if __name__ == "__main__":
    PAGE.write_text(render())
