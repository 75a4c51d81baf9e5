"""Writes ``docs/settings.md``: ``python -m plumbline.cli.settings_page``."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Literal, get_args, get_origin

from pydantic import BaseModel, SecretStr
from pydantic.fields import FieldInfo
from pydantic_settings import BaseSettings

from plumbline.bundle.record import Record
from plumbline.monitoring.settings import MonitoringSettings
from plumbline.service.settings import ServiceSettings

PAGE = Path(__file__).resolve().parents[1] / "docs" / "settings.md"

_HEAD = """\
# Settings

Written by `python -m plumbline.cli.settings_page`; a test holds it to the code.

A setting comes from a TOML file (keys as below), over it from the environment (prefix and name in
capitals), over that from an option of the command. A misspelt key or prefixed variable is refused
at start-up, with the name that was probably meant. Secrets belong into the environment.
`PLUMBLINE_STORE` sets the store of every command that has `--store`.
"""

_SECTIONS: tuple[tuple[str, str, type[BaseSettings]], ...] = (
    (
        "Service",
        "`plumbline serve`; the file is named by `PLUMBLINE_SERVICE_FILE`.",
        ServiceSettings,
    ),
    (
        "Monitor",
        "`plumbline monitor`; the file is named by `--settings` or `PLUMBLINE_MONITORING_FILE`.",
        MonitoringSettings,
    ),
)


def render() -> str:
    """Return the page."""
    return "\n".join([_HEAD, *(_section(*section) for section in _SECTIONS)])


def _section(title: str, text: str, settings: type[BaseSettings]) -> str:
    prefix = settings.model_config["env_prefix"]
    head = [
        f"## {title}",
        "",
        f"{text} Variables: `{prefix}<NAME>`.",
        "",
        "| name | default | meaning |",
        "|---|---|---|",
    ]
    return "\n".join([*head, *_rows(settings), ""])


def _rows(settings: type[BaseModel], table: str = "") -> Iterator[str]:
    for name, field in settings.model_fields.items():
        if isinstance(field.default, Record):
            yield from _rows(type(field.default), f"{name}.")
            continue
        choices = _choices(field)
        meaning = f"{field.description} {choices}".strip().replace("|", "\\|")
        yield f"| `{table}{name}` | {_default(field)} | {meaning} |"


def _default(field: FieldInfo) -> str:
    if field.is_required():
        return "required"
    if field.default_factory is not None:
        return "see there"
    value = field.default
    if value is None:
        return "none"
    if isinstance(value, SecretStr):
        return "set"
    if isinstance(value, tuple) and value:
        return f"`{','.join(map(str, value))}`"
    return f"`{value}`" if value not in ((), {}, "") else "empty"


def _choices(field: FieldInfo) -> str:
    if get_origin(field.annotation) is not Literal:
        return ""
    return f"One of {', '.join(f'`{choice}`' for choice in get_args(field.annotation))}."


if __name__ == "__main__":
    PAGE.write_text(render())
