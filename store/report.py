"""Reports for people: HTML pages by model and time."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime

from plumbline.bundle.digest import name_of
from plumbline.store.errors import ConflictError, NotFoundError
from plumbline.store.objects import Objects

_STAMP = "%Y%m%dT%H%M%S%fZ"
_NAME = re.compile(r"(\d{8}T\d{12}Z)-([a-z0-9_]+)-[0-9a-f]{8}\.html")


@dataclass(frozen=True)
class Report:
    """Where a report lies, when it was made and what it is about."""

    key: str
    time: datetime
    kind: str

    @property
    def name(self) -> str:
        """The last part of the key, for links."""
        return self.key.rsplit("/", 1)[-1]


def write_report(
    objects: Objects, model: str, html: str, time: datetime, *, kind: str = "drift"
) -> str:
    """Write a page and return its key; writing the same page again is a no-op.

    Parameters
    ----------
    objects, model, html
        The store, about which model, and the page.
    time
        When it was made, with a time zone.
    kind
        What it is: lower-case letters, digits and underscores.
    """
    data = html.encode()
    stamp = time.astimezone(UTC).strftime(_STAMP)
    name = f"{stamp}-{kind}-{name_of(data, digits=8)}.html"
    if _NAME.fullmatch(name) is None:
        raise ValueError(f"kind {kind!r}: expected lower-case letters, digits and underscores")
    key = f"reports/{model}/{name}"
    try:
        objects.create(key, data)
    except ConflictError:
        return key
    return key


def list_reports(objects: Objects, model: str) -> list[Report]:
    """Return the reports of a model, newest first."""
    found = []
    for key in objects.keys(f"reports/{model}"):
        match = _NAME.fullmatch(key.rsplit("/", 1)[-1])
        if match is not None:
            time = datetime.strptime(match[1], _STAMP).replace(tzinfo=UTC)
            found.append(Report(key, time, match[2]))
    return found[::-1]


def forget_reports(objects: Objects, model: str, *, kind: str, kept: int) -> None:
    """Remove all but the newest reports of a kind."""
    of_kind = [report for report in list_reports(objects, model) if report.kind == kind]
    for report in of_kind[kept:]:
        objects.delete(report.key)


def read_report(objects: Objects, model: str, name: str) -> str:
    """Return a page by its name, as a link gives it.

    Raises
    ------
    NotFoundError
        If there is none; names that no report can have are not even looked for.
    """
    if _NAME.fullmatch(name) is None:
        raise NotFoundError(f"{name!r} is not the name of a report")
    return objects.read(f"reports/{model}/{name}").decode()
