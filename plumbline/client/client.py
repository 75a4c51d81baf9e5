"""The two clients: one blocks, one is awaited; all else they share."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Generator, Mapping, Sequence
from types import TracebackType
from typing import Any, Self, TypeVar

import httpx
import numpy as np
from numpy.typing import ArrayLike

from plumbline.client.answer import Prediction, ServedModel
from plumbline.client.exchange import LOST, Asking, Came, Retry, Sending
from plumbline.client.instance import Instance, Outcome, Time

T = TypeVar("T")

_JSON = {"content-type": "application/json"}
_RETRY = Retry()


class Client:
    """Asks a service, and asks again where an answer is lost.

    Parameters
    ----------
    url
        Of the service, as ``http://127.0.0.1:3000``.
    model
        Which model is asked; need not be said where one alone is served.
    timeout
        Seconds that one attempt may take.
    token
        Sent as a bearer token, for a service behind a gateway that wants one.
    features_hash
        Of the columns you send (`ServedInput.columns_hash`): another order is refused then.
    retry
        How often a lost answer is asked for.

    Examples
    --------
    >>> with Client("http://127.0.0.1:3000") as client:  # doctest: +SKIP
    ...     client.predict(window, symbol="EURUSD").action
    'HOLD'
    """

    def __init__(
        self,
        url: str,
        *,
        model: str | None = None,
        timeout: float = 10.0,
        token: str | None = None,
        features_hash: str | None = None,
        retry: Retry = _RETRY,
    ) -> None:
        self._asking = Asking(model, features_hash, retry, np.random.default_rng(), url)
        self._http = httpx.Client(base_url=url, timeout=timeout, headers=_headers(token))

    def predict(
        self,
        features: ArrayLike | None = None,
        *,
        bars: ArrayLike | Sequence[Sequence[object]] | None = None,
        inputs: Mapping[str, ArrayLike] | None = None,
        symbol: str = "default",
        time: Time | None = None,
        group: str | None = None,
        id: str | None = None,  # its name on the wire
    ) -> Prediction:
        """Ask about one row; the parameters are those of `Instance`.

        Raises
        ------
        ClientError
            If there is no answer, or it is a refusal.
        ValueError
            If a number is not finite, or a time has no zone.
        """
        one = Instance(features, bars, inputs, symbol, time, group, id)
        (found,) = self.predict_many([one])
        return found

    def predict_many(self, instances: Sequence[Instance | Mapping[str, Any]]) -> list[Prediction]:
        """Ask about several rows in one request: one version answers all, in this order.

        Of a model that takes cross-sections, those of one ``group`` are one, by default all.
        Raises as `predict`.
        """
        return self._run(self._asking.predict(instances))

    def outcomes(self, outcomes: Sequence[Outcome | Mapping[str, Any]]) -> int:
        """Report what became of predictions; return how many were taken. Raises as `predict`."""
        return self._run(self._asking.outcomes(outcomes))

    def models(self) -> tuple[ServedModel, ...]:
        """Ask what is served. Raises as `predict`."""
        return self._run(self._asking.models())

    def ready(self) -> bool:
        """Whether the service answers and wants traffic; asks once, and raises nothing for it."""
        return self._run(self._asking.ready())

    def close(self) -> None:
        """Close the connections."""
        self._http.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def _run(self, steps: Generator[Sending | float, Came, T]) -> T:
        came: Came = None
        while True:
            try:
                step = steps.send(came)
            except StopIteration as end:
                found: T = end.value
                return found
            came = self._do(step)

    def _do(self, step: Sending | float) -> Came:
        if isinstance(step, Sending):
            try:
                return self._http.request(
                    step.method,
                    step.path,
                    content=step.body,
                    headers=None if step.body is None else _JSON,
                )
            except LOST as lost:
                return lost
        time.sleep(step)
        return None


class AsyncClient:
    """`Client`, awaited: the same parameters, methods, answers and errors."""

    def __init__(
        self,
        url: str,
        *,
        model: str | None = None,
        timeout: float = 10.0,
        token: str | None = None,
        features_hash: str | None = None,
        retry: Retry = _RETRY,
    ) -> None:
        self._asking = Asking(model, features_hash, retry, np.random.default_rng(), url)
        self._http = httpx.AsyncClient(base_url=url, timeout=timeout, headers=_headers(token))

    async def predict(
        self,
        features: ArrayLike | None = None,
        *,
        bars: ArrayLike | Sequence[Sequence[object]] | None = None,
        inputs: Mapping[str, ArrayLike] | None = None,
        symbol: str = "default",
        time: Time | None = None,
        group: str | None = None,
        id: str | None = None,  # its name on the wire
    ) -> Prediction:
        """Ask about one row, as `Client.predict`."""
        one = Instance(features, bars, inputs, symbol, time, group, id)
        (found,) = await self.predict_many([one])
        return found

    async def predict_many(
        self, instances: Sequence[Instance | Mapping[str, Any]]
    ) -> list[Prediction]:
        """Ask about several rows in one request, as `Client.predict_many`."""
        return await self._run(self._asking.predict(instances))

    async def outcomes(self, outcomes: Sequence[Outcome | Mapping[str, Any]]) -> int:
        """Report what became of predictions, as `Client.outcomes`."""
        return await self._run(self._asking.outcomes(outcomes))

    async def models(self) -> tuple[ServedModel, ...]:
        """Ask what is served, as `Client.models`."""
        return await self._run(self._asking.models())

    async def ready(self) -> bool:
        """Whether the service answers and wants traffic, as `Client.ready`."""
        return await self._run(self._asking.ready())

    async def aclose(self) -> None:
        """Close the connections."""
        await self._http.aclose()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.aclose()

    async def _run(self, steps: Generator[Sending | float, Came, T]) -> T:
        came: Came = None
        while True:
            try:
                step = steps.send(came)
            except StopIteration as end:
                found: T = end.value
                return found
            came = await self._do(step)

    async def _do(self, step: Sending | float) -> Came:
        if isinstance(step, Sending):
            try:
                return await self._http.request(
                    step.method,
                    step.path,
                    content=step.body,
                    headers=None if step.body is None else _JSON,
                )
            except LOST as lost:
                return lost
        await asyncio.sleep(step)
        return None


def _headers(token: str | None) -> dict[str, str]:
    return {} if token is None else {"authorization": f"Bearer {token}"}
