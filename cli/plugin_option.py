"""``--plugin``: modules from outside, for every command that may need one."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from functools import wraps
from typing import Annotated, Any, TypeAlias, get_type_hints

import typer

from plumbline.bundle.errors import PluginError
from plumbline.bundle.plugin_module import VARIABLE, name_modules

PluginOption: TypeAlias = Annotated[
    list[str] | None,
    typer.Option(
        "--plugin",
        metavar="MODULE",
        help="A .py file or an installed module that brings plug-ins; repeat for several. "
        f"{VARIABLE} does the same.",
    ),
]


def takes_plugins(command: Callable[..., None]) -> Callable[..., None]:
    """Give a command ``--plugin``; what it names is known to the processes it starts, too."""

    @wraps(command)
    def run(*args: Any, plugin: list[str] | None = None, **given: Any) -> None:
        try:
            name_modules(plugin or ())
        except PluginError as error:
            raise typer.BadParameter(str(error)) from error
        command(*args, **given)

    hints = {**get_type_hints(command, include_extras=True), "plugin": PluginOption}
    added = inspect.Parameter("plugin", inspect.Parameter.KEYWORD_ONLY, default=None)
    parameters = [*inspect.signature(command).parameters.values(), added]
    run.__signature__ = inspect.Signature(  # type: ignore[attr-defined]  # inspect reads it
        [each.replace(annotation=hints[each.name]) for each in parameters]
    )
    run.__annotations__ = hints
    return run
