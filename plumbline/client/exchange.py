"""A request, its retries and its answer, without any input or output.

Each exchange is a generator: it yields what is to be done (send this, wait so long) and is sent
what came. `client` drives it, once with blocking calls and once with ``await``, so that the two
clients cannot differ in anything but that.

A lost answer is asked for again with the very same bytes. They hold an id per instance, so that
what the service had already recorded is recorded again as the same row.
"""

from __future__ import annotations

import json
from collections.abc import Generator, Mapping, Sequence
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any, Final, TypeAlias

import httpx
import numpy as np

from plumbline.client.answer import Prediction, ServedModel, read_models, read_predictions
from plumbline.client.errors import (
    ProtocolError,
    RejectedError,
    UnavailableError,
    UnreachableError,
)
from plumbline.client.instance import Instance, Outcome, instances_to_wire, outcomes_to_wire

LOST: Final = (httpx.TimeoutException, httpx.NetworkError, httpx.RemoteProtocolError)
"""The answer did not come, whether or not the request did."""

BUSY: Final = frozenset(
    {HTTPStatus.BAD_GATEWAY, HTTPStatus.SERVICE_UNAVAILABLE, HTTPStatus.GATEWAY_TIMEOUT}
)
"""Another attempt may find somebody there."""

_QUOTED = 200


@dataclass(frozen=True)
class Sending:
    """One HTTP request, ready to be sent as often as it takes."""

    method: str
    path: str
    body: bytes | None = None


@dataclass(frozen=True)
class Retry:
    """How often to ask, and how long to wait in between.

    Attributes
    ----------
    attempts
        In all; 1 for none but the first.
    first_seconds, most_seconds
        The longest wait after the first attempt, and after any; it doubles in between. How much of
        it is waited is drawn anew each time, so that clients who lost their answers together do
        not come back together. What ``Retry-After`` asks for, up to the most, comes on top.

    References
    ----------
    Brooker (2015), "Exponential Backoff And Jitter", AWS Architecture Blog, "full jitter".
    """

    attempts: int = 5
    first_seconds: float = 0.2
    most_seconds: float = 5.0

    def __post_init__(self) -> None:
        if self.attempts < 1 or not 0 <= self.first_seconds <= self.most_seconds:
            raise ValueError(f"expected an attempt or more, and 0 <= first <= most, got {self}")

    def pause(self, failed: int, asked: float, draw: float) -> float:
        """Return seconds to wait after ``failed`` attempts; ``draw`` lies in 0 to 1."""
        most = min(self.most_seconds, self.first_seconds * 2.0 ** (failed - 1))
        return min(asked, self.most_seconds) + draw * most


Came: TypeAlias = httpx.Response | httpx.TransportError | None
"""What a step is sent: an answer, a lost one, or nothing after a pause."""

Ready: TypeAlias = Generator[Sending | float, Came, bool]
Exchange: TypeAlias = Generator[Sending | float, Came, Mapping[str, Any]]


@dataclass(frozen=True)
class Asking:
    """What every exchange of a client shares.

    Attributes
    ----------
    model, features_hash
        Go into each request that takes them; None is left out.
    retry
        Of lost answers.
    rng
        Draws the pauses.
    url
        Whom they ask, for complaints.
    """

    model: str | None
    features_hash: str | None
    retry: Retry
    rng: np.random.Generator
    url: str = ""

    def predict(
        self, instances: Sequence[Instance | Mapping[str, Any]]
    ) -> Generator[Sending | float, Came, list[Prediction]]:
        """Ask about instances, in one request."""
        wire = instances_to_wire(instances)
        body = self._body(instances=wire)
        if self.features_hash is not None:
            body["features_hash"] = self.features_hash
        found = yield from self._exchange(_post("/predict", body))
        return read_predictions(found, len(wire))

    def outcomes(
        self, outcomes: Sequence[Outcome | Mapping[str, Any]]
    ) -> Generator[Sending | float, Came, int]:
        """Report outcomes, in one request; return how many were taken."""
        body = self._body(outcomes=outcomes_to_wire(outcomes))
        found = yield from self._exchange(_post("/outcomes", body))
        return int(found.get("accepted", 0))

    def models(self) -> Generator[Sending | float, Came, tuple[ServedModel, ...]]:
        """Ask what is served."""
        found = yield from self._exchange(Sending("GET", "/models"))
        return read_models(found)

    def ready(self) -> Ready:
        """Ask once whether the service wants traffic."""
        came = yield Sending("GET", "/readyz")
        return isinstance(came, httpx.Response) and came.status_code == HTTPStatus.OK

    def _body(self, **fields: Any) -> dict[str, Any]:
        return fields if self.model is None else {"model": self.model, **fields}

    def _exchange(self, call: Sending) -> Exchange:
        """Ask until an answer comes that another attempt would not change."""
        for attempt in range(1, self.retry.attempts + 1):
            came = yield call
            if isinstance(came, httpx.Response) and came.status_code not in BUSY:
                return _content(came)
            last = attempt == self.retry.attempts
            if last and isinstance(came, httpx.Response):
                raise _refusal(came)
            if last:
                raise UnreachableError(
                    f"no answer to {call.method} {call.path} in {attempt} attempts, the last: "
                    f"{type(came).__name__}: {came}; is a service listening at {self.url}?"
                ) from (came if isinstance(came, Exception) else None)
            yield self.retry.pause(attempt, _retry_after(came), self.rng.random())
        raise AssertionError("unreachable: the last attempt returns or raises")


def _post(path: str, body: Mapping[str, Any]) -> Sending:
    return Sending("POST", path, json.dumps(body, allow_nan=False).encode())


def _retry_after(came: Came) -> float:
    """Return what an answer asks to wait, in seconds; a date there is passed over."""
    text = came.headers.get("retry-after", "") if isinstance(came, httpx.Response) else ""
    return float(text) if text.isdigit() else 0.0


def _content(response: httpx.Response) -> Mapping[str, Any]:
    """Return the object that a good answer holds."""
    if response.status_code != HTTPStatus.OK:
        raise _refusal(response)
    found = _json(response)
    if not isinstance(found, dict):
        raise ProtocolError(f"expected a JSON object of {response.url}, got {_quote(response)}")
    return found


def _refusal(response: httpx.Response) -> RejectedError | UnavailableError | ProtocolError:
    status = response.status_code
    if status < HTTPStatus.BAD_REQUEST:
        return ProtocolError(f"expected an answer of {response.url}, got status {status}")
    found = _json(response)
    said = found.get("error") if isinstance(found, dict) else None
    if not isinstance(said, dict):  # not by the service: an ingress, or a proxy
        said = {"code": f"http_{status}", "message": _quote(response)}
    kind = RejectedError if status < HTTPStatus.INTERNAL_SERVER_ERROR else UnavailableError
    return kind(
        status, str(said.get("code")), str(said.get("message")), expected=said.get("expected")
    )


def _json(response: httpx.Response) -> object:
    try:
        return response.json()
    except ValueError:
        return None


def _quote(response: httpx.Response) -> str:
    return repr(response.text[:_QUOTED])
