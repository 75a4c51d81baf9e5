"""Where messages go: one POST, and what came back; nothing else is known of the receiver.

The address may be a secret (Slack's is), so only its host is ever told. A redirect is not followed:
it could carry message and token to another host.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from urllib.parse import urlsplit

import httpx

from plumbline.monitoring.errors import SettingsError
from plumbline.monitoring.notification.address import checked, read_secret
from plumbline.monitoring.notification.body import BODIES
from plumbline.monitoring.notification.message import Message
from plumbline.monitoring.settings import MonitoringSettings

ATTEMPT_SECONDS = 15.0
"""An attempt takes no longer."""

_STEP_SECONDS = 5.0
_MOST_ANSWER = 300
_LONGEST_PAUSE = 3600.0
_WILL_NOT = frozenset({400, 405, 411, 413, 414, 415, 422})
"""Answers that say that it is the message, which will be no other the next time."""


@dataclass(frozen=True)
class Receipt:
    """What came of an attempt.

    Attributes
    ----------
    sent
        Whether the receiver has taken the message.
    final
        Whether it would not do so another time either.
    detail
        What it said, or why it could not be asked.
    pause_seconds
        How long it wants to be left alone; None if it did not say.
    """

    sent: bool
    detail: str
    final: bool = False
    pause_seconds: float | None = None


class Receiver:
    """The one address that the settings name."""

    def __init__(self, settings: MonitoringSettings) -> None:
        self._settings = settings
        self._body = BODIES[settings.notify_format]

    @property
    def host(self) -> str:
        """Its host, which may be told; empty where the address cannot be read."""
        try:
            return urlsplit(self._address()).netloc.rpartition("@")[2]
        except SettingsError:
            return ""

    def send(self, message: Message) -> Receipt:
        """Post a message once; every failure is an answer."""
        try:
            url, headers = self._address(), self._headers(message)
        except SettingsError as error:
            return Receipt(sent=False, detail=str(error))
        try:
            return _post(url, self._body(message), headers)
        except httpx.TimeoutException:
            return Receipt(sent=False, detail=f"no answer within {_STEP_SECONDS:g} s")
        except httpx.HTTPError as error:
            return Receipt(sent=False, detail=f"{type(error).__name__}: {error}")

    def _address(self) -> str:
        settings = self._settings
        if settings.notify_url_file is not None:
            url = read_secret(settings.notify_url_file, "notify_url_file")
            return checked(url, "notify_url_file")
        if settings.notify_url is not None:
            return settings.notify_url.get_secret_value()
        raise SettingsError("notify_url is not set: nobody is told anything")

    def _headers(self, message: Message) -> dict[str, str]:
        headers = {"content-type": "application/json", "idempotency-key": message.id}
        file = self._settings.notify_token_file
        if file is not None:
            headers["authorization"] = f"Bearer {read_secret(file, 'notify_token_file')}"
        return headers


def _post(url: str, body: bytes, headers: dict[str, str]) -> Receipt:
    """Post a body, and read no more of the answer than is told of it."""
    timeout = httpx.Timeout(_STEP_SECONDS)
    with (
        httpx.Client(timeout=timeout, follow_redirects=False) as client,
        client.stream("POST", url, content=body, headers=headers) as response,
    ):
        code = response.status_code
        said = "" if response.is_redirect else _beginning(response)
    if response.is_success:
        return Receipt(sent=True, detail=f"{code} {said}".strip())
    if response.is_redirect:
        where = urlsplit(response.headers.get("location", "")).netloc.rpartition("@")[2]
        to = f" to {where}" if where else ""
        return Receipt(sent=False, detail=f"{code}: it redirects{to}; set the address it leads to")
    return Receipt(
        sent=False,
        detail=f"{code} {said}".strip(),
        final=code in _WILL_NOT,
        pause_seconds=_pause(response.headers.get("retry-after", "")),
    )


def _beginning(response: httpx.Response) -> str:
    """Return the first words of an answer, as one printable line."""
    until, data = time.monotonic() + _STEP_SECONDS, b""
    for chunk in response.iter_bytes():
        data += chunk
        if len(data) >= _MOST_ANSWER or time.monotonic() > until:
            break
    text = " ".join(data[:_MOST_ANSWER].decode(errors="replace").split())
    return "".join(letter for letter in text if letter.isprintable())


def _pause(after: str) -> float | None:
    """Return the seconds of a ``Retry-After``, an hour at most; a date is not understood."""
    return min(float(after), _LONGEST_PAUSE) if after.isdecimal() else None
