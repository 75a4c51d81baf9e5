"""The forms in which a message travels: Slack's, and an event for programs."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping

from plumbline.monitoring.notification.message import Message
from plumbline.monitoring.notification.occasion import Occasion
from plumbline.monitoring.settings import NotifyFormat

_LONGEST_LINE = 600
_MOST_EVIDENCE = 5
_ARGUED = (Occasion.CALLED, Occasion.OPENED)
"""Where a reader asks why; later messages say how it goes."""


def event(message: Message) -> bytes:
    """Return the message as one JSON object."""
    return message.to_json()


def slack(message: Message) -> bytes:
    """Return the message as Slack takes it, and Mattermost and Rocket.Chat: ``{"text": …}``.

    Texts come from outside: whatever Slack would read as a mention or a link is made plain.
    """
    return json.dumps({"text": "\n".join(_lines(message))}, ensure_ascii=False).encode()


BODIES: Mapping[NotifyFormat, Callable[[Message], bytes]] = {"slack": slack, "json": event}


def _lines(message: Message) -> Iterator[str]:
    yield f"*{_plain(message.headline)}*"
    if message.meaning:
        yield _plain(message.meaning)
    yield f"> {_plain(message.cause)}"
    yield from (_plain(line) for line in message.happened)
    if message.occasion in _ARGUED:
        yield from _list("Evidence", message.evidence[:_MOST_EVIDENCE])
    yield from _list("What happens next", message.ahead)
    named = {"status page": message.page, "report": message.report, "runbook": message.runbook}
    if links := [f"<{_address(url)}|{name}>" for name, url in named.items() if url]:
        yield " · ".join(links)
    if message.incident:
        yield f"version `{message.version}`, incident `{message.incident}`"


def _list(title: str, items: tuple[str, ...]) -> Iterator[str]:
    if items:
        yield f"*{title}*"
        yield from (f"• {_plain(item)}" for item in items)


def _plain(text: str) -> str:
    """Keep a text on one line, of bounded length, without Slack's control characters."""
    line = " ".join(text.split())
    line = line if len(line) <= _LONGEST_LINE else line[: _LONGEST_LINE - 1] + "…"
    return line.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def _address(url: str) -> str:
    return _plain(url).replace("|", "%7C").replace(" ", "%20")
