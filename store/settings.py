"""Settings of a process: a TOML file, over it the environment, over that the command line.

Service and monitor read theirs in the same way, and refuse a misspelt name with the one that was
probably meant: a misspelt variable would otherwise be ignored in silence.
"""

from __future__ import annotations

import os
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar, Self

from pydantic import ValidationError
from pydantic_settings import BaseSettings, SettingsConfigDict

from plumbline.bundle.suggestion import unknown_key, unknown_variable

_FILE = "FILE"


class Settings(BaseSettings):
    """The base of a process' settings; build them with `load`.

    Attributes
    ----------
    owner
        Whose they are, for messages: "the service".
    error
        What is raised where they cannot be used.
    """

    model_config = SettingsConfigDict(frozen=True, extra="forbid", validate_default=True)

    owner: ClassVar[str]
    error: ClassVar[type[Exception]]

    @classmethod
    def load(cls, file: Path | None = None, **given: object) -> Self:
        """Build the settings from a file, the environment and the command line, in that order.

        Parameters
        ----------
        file
            A TOML file whose keys are the fields; by default the one that the variable
            ``<prefix>FILE`` names, if it names one.
        given
            From the command line; None means not given.

        Raises
        ------
        Exception
            Of the kind `error`, naming the key, variable or value, and what was expected.
        """
        prefix = cls.model_config["env_prefix"]
        known = [*cls.model_fields, _FILE]
        complaint = unknown_variable(os.environ, prefix, known, of=cls.owner)
        if complaint is not None:
            raise cls.error(complaint)
        named = os.environ.get(prefix + _FILE)
        path = file or (Path(named) if named else None)
        values = {} if path is None else cls._read(path)
        in_environment = {name for name in values if f"{prefix}{name}".upper() in os.environ}
        values = {name: value for name, value in values.items() if name not in in_environment}
        values |= {name: value for name, value in given.items() if value is not None}
        try:
            settings = cls(**values)
        except ValidationError as error:
            faults = error.errors(include_url=False)
            raise cls.error("; ".join(_explain(fault, prefix) for fault in faults)) from error
        settings.use()
        return settings

    def use(self) -> None:
        """Check what no field can say of itself; raises `error`."""

    @classmethod
    def _read(cls, path: Path) -> dict[str, Any]:
        try:
            values = tomllib.loads(path.read_text())
        except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
            raise cls.error(f"cannot read the settings in {path}: {error}") from error
        if (complaint := unknown_key(values, cls)) is not None:
            raise cls.error(f"{path}: {complaint}")
        return values


def _explain(fault: Mapping[str, Any], prefix: str) -> str:
    """Say of one fault which setting it concerns and how to give it."""
    place = ".".join(str(part) for part in fault["loc"])
    if fault["type"] == "missing":
        return f"{place} is not set: give --{place.rstrip('s')} or {prefix}{place.upper()}"
    return f"{place}: {fault['msg']}, got {fault['input']!r}"
