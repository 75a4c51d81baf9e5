"""Where pages' templates are found, and how what is put into them is written."""

from __future__ import annotations

from functools import cache
from importlib.resources import files

import jinja2

from plumbline.monitoring.page import text


@cache
def environment() -> jinja2.Environment:
    """Return the environment of all our pages; whatever is put into them is escaped."""
    made = jinja2.Environment(
        loader=jinja2.FileSystemLoader(str(files("plumbline.monitoring.page") / "templates")),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    for write in (text.words, text.ago, text.stamp, text.span, text.figure, text.lost):
        made.filters[write.__name__] = write
    return made
