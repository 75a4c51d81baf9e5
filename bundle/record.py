"""The one base class of everything that is written as JSON."""

from __future__ import annotations

import json
from typing import Self

from pydantic import BaseModel, ConfigDict, ValidationError

from plumbline.bundle.errors import FormatError


class Record(BaseModel):
    """A frozen value with a strict JSON form.

    A misspelt key is an error, so is NaN or infinity: neither survives a round trip through JSON.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    def to_json(self) -> bytes:
        """Return the canonical JSON form."""
        return canonical_json(self.model_dump(mode="json"))

    @classmethod
    def from_json(cls, data: bytes | str, *, source: str = "") -> Self:
        """Read the JSON form.

        Parameters
        ----------
        data
            JSON text.
        source
            Where the text came from; named in the error.

        Raises
        ------
        FormatError
            If the text is not JSON or does not have this record's fields.
        """
        try:
            return cls.model_validate_json(data)
        except ValidationError as error:
            first = error.errors(include_url=False)[0]
            place = ".".join(str(part) for part in first["loc"]) or "the document"
            origin = source or cls.__name__
            raise FormatError(f"{origin}: {place}: {first['msg']}") from error


def canonical_json(value: object) -> bytes:
    """Return JSON with sorted keys, in UTF-8, with a final newline; NaN is refused."""
    text = json.dumps(value, sort_keys=True, ensure_ascii=False, indent=1, allow_nan=False)
    return text.encode() + b"\n"
