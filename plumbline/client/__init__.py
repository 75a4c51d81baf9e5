"""A client of the service: `Client`, and `AsyncClient`, which does the same with ``await``.

It needs numpy and httpx, and nothing of the other rooms but the words of `plumbline.bundle`.
"""

from plumbline.client.answer import (
    ChoiceOutput,
    OtherOutput,
    Output,
    Prediction,
    ScoreOutput,
    ServedInput,
    ServedModel,
    ServedOutput,
    ValueOutput,
)
from plumbline.client.client import AsyncClient, Client
from plumbline.client.errors import (
    ClientError,
    ProtocolError,
    RejectedError,
    UnavailableError,
    UnreachableError,
)
from plumbline.client.exchange import Retry
from plumbline.client.instance import Instance, Outcome

__all__ = [
    "AsyncClient",
    "ChoiceOutput",
    "Client",
    "ClientError",
    "Instance",
    "OtherOutput",
    "Outcome",
    "Output",
    "Prediction",
    "ProtocolError",
    "RejectedError",
    "Retry",
    "ScoreOutput",
    "ServedInput",
    "ServedModel",
    "ServedOutput",
    "UnavailableError",
    "UnreachableError",
    "ValueOutput",
]
