"""Errors a caller of the service can see; `http` turns them into answers, all of one shape.

ServiceError                      500  internal_error
├── RequestRejectedError          422  request_rejected
│   ├── MalformedJsonError        422  malformed_json
│   ├── FeatureMismatchError      422  feature_mismatch
│   ├── NonFiniteFeaturesError    422  non_finite_features
│   ├── NonFiniteOutputError      422  non_finite_output
│   └── UnknownLabelError         422  unknown_label
├── BodyTooLargeError             413  body_too_large
├── BodyTooSlowError              408  body_too_slow
├── RouteNotFoundError            404  not_found
├── ModelNotFoundError            404  model_not_found
├── MethodNotAllowedError         405  method_not_allowed
├── UnsupportedMediaTypeError     415  unsupported_media_type
├── UnauthorizedError             401  unauthorized
├── ChangeConflictError           409  conflict
├── ChangeRefusedError            422  refused
├── ModelUnavailableError         503  model_unavailable
├── LogUnavailableError           503  log_unavailable
└── NotReadyError                 503  not_ready

Faults of a bundle that is being loaded never reach a caller: `model_slot` keeps the old model.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar, Final

from typing_extensions import override

RETRY_AFTER_SECONDS: Final = 1


class ServiceError(Exception):
    """Something an answer must say; the message is for the caller."""

    status: ClassVar[int] = 500
    code: ClassVar[str] = "internal_error"

    def __init__(self, message: str, *, expected: object = None) -> None:
        super().__init__(message)
        self.message = message
        self.expected = expected

    @property
    def headers(self) -> Mapping[str, str]:
        """What the answer's head must say beside the status."""
        return {"retry-after": str(RETRY_AFTER_SECONDS)} if self.status == 503 else {}


class RequestRejectedError(ServiceError):
    """The request is well-formed JSON that cannot be served; ``expected`` says what could be."""

    status = 422
    code = "request_rejected"


class MalformedJsonError(RequestRejectedError):
    """The body is not JSON, or holds a number that no double can hold."""

    code = "malformed_json"


class FeatureMismatchError(RequestRejectedError):
    """Feature count, window length or features hash differ from the manifest's."""

    code = "feature_mismatch"


class NonFiniteFeaturesError(RequestRejectedError):
    """A feature is beyond the range of a 32-bit float."""

    code = "non_finite_features"


class NonFiniteOutputError(RequestRejectedError):
    """The model has no finite answer to these features."""

    code = "non_finite_output"


class UnknownLabelError(RequestRejectedError):
    """An outcome names a class that no served model has."""

    code = "unknown_label"


class BodyTooLargeError(ServiceError):
    """The body is larger than the limit."""

    status = 413
    code = "body_too_large"


class BodyTooSlowError(ServiceError):
    """The body did not arrive before the deadline."""

    status = 408
    code = "body_too_slow"


class RouteNotFoundError(ServiceError):
    """There is no such path."""

    status = 404
    code = "not_found"


class ModelNotFoundError(ServiceError):
    """There is no such model or version."""

    status = 404
    code = "model_not_found"


class MethodNotAllowedError(ServiceError):
    """The path exists and takes other methods."""

    status = 405
    code = "method_not_allowed"

    def __init__(self, method: str, allowed: tuple[str, ...]) -> None:
        super().__init__(f"{method} is not allowed here", expected={"methods": list(allowed)})
        self._allowed = allowed

    @property
    @override
    def headers(self) -> Mapping[str, str]:
        """Name the methods that are allowed, as RFC 9110 section 15.5.6 asks."""
        return {"allow": ", ".join(self._allowed)}


class UnsupportedMediaTypeError(ServiceError):
    """The body is not declared as plain JSON."""

    status = 415
    code = "unsupported_media_type"


class UnauthorizedError(ServiceError):
    """The admin token is missing or wrong."""

    status = 401
    code = "unauthorized"

    @property
    @override
    def headers(self) -> Mapping[str, str]:
        """Say which scheme would do."""
        return {"www-authenticate": "Bearer"}


class ChangeConflictError(ServiceError):
    """Somebody else moved the alias first."""

    status = 409
    code = "conflict"


class ChangeRefusedError(ServiceError):
    """The bundle does not verify, or its gate did not pass."""

    status = 422
    code = "refused"


class ModelUnavailableError(ServiceError):
    """No version of the model is loaded."""

    status = 503
    code = "model_unavailable"


class LogUnavailableError(ServiceError):
    """The row cannot be made durable, so no answer is given."""

    status = 503
    code = "log_unavailable"


class NotReadyError(ServiceError):
    """The service should get no traffic now; ``expected`` says what is missing."""

    status = 503
    code = "not_ready"
