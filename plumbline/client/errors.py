"""Errors of the client.

ClientError                 no usable answer
├── RejectedError           the service refuses the request (4xx): ask otherwise, never again so
├── UnavailableError        the service cannot answer (5xx), after every attempt a 503 is worth
├── UnreachableError        no answer came, after every attempt
└── ProtocolError           what came is no answer of a service of this version

What cannot be sent at all (NaN, a time without a zone) is a `ValueError`.
"""

from __future__ import annotations


class ClientError(Exception):
    """No usable answer; the message says why."""


class _ServiceSaidError(ClientError):
    """An answer that is an error.

    Attributes
    ----------
    status
        Of HTTP.
    code
        As in the table of docs/service.md, for programs.
    message
        What was wrong, for people.
    expected
        What would have been right; None where the service does not say.
    """

    def __init__(self, status: int, code: str, message: str, expected: object = None) -> None:
        hint = "" if expected is None else f"; expected {expected}"
        super().__init__(f"{status} {code}: {message}{hint}")
        self.status = status
        self.code = code
        self.message = message
        self.expected = expected


class RejectedError(_ServiceSaidError):
    """The service refuses the request; the same request would be refused again."""


class UnavailableError(_ServiceSaidError):
    """The service cannot answer now."""


class UnreachableError(ClientError):
    """No answer came; for a prediction, ask later with the same id, it may be in the log."""


class ProtocolError(ClientError):
    """What came is no answer that this client understands."""
