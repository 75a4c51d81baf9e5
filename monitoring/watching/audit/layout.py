"""How logged columns lie in a model's inputs: from steps to a window's bytes, and back."""

from __future__ import annotations

import math

import numpy as np

from plumbline.bundle.array import FloatArray
from plumbline.bundle.errors import FormatError
from plumbline.bundle.inputs import given, parse_inputs
from plumbline.bundle.manifest import Manifest


class Layout:
    """What a window of a model is made of.

    Attributes
    ----------
    given
        The inputs that differ from row to row.
    steps, width
        Of the longest input of columns, and columns in all; one step where the graph takes bars.
    rebuildable
        Whether logged last steps make the whole of a row's inputs.
    comparable
        Whether a row's inputs have logged columns in them; not where the graph takes bars only.
    size
        Bytes of a row's inputs.
    """

    def __init__(self, manifest: Manifest) -> None:
        self.given = given(manifest.inputs)
        self._columns = [spec for spec in self.given if spec.source == "features"]
        self.steps = max((spec.steps for spec in self._columns), default=1)
        self.width = len(manifest.feature_names)
        self.rebuildable = len(self._columns) == len(self.given)
        self.comparable = bool(self._columns)
        self.size = sum(
            math.prod(each.shape) * np.dtype(each.dtype).itemsize for each in self.given
        )
        self._plain = len(self.given) == 1 and self.given[0].dtype == "float32"

    def data(self, window: FloatArray) -> bytes:
        """Return the bytes of the inputs that these steps ``(steps, width) float32`` make."""
        if self._plain:
            return window.tobytes()
        parts, begin = [], 0
        for spec in self._columns:
            end = begin + len(spec.names)
            parts.append(window[self.steps - spec.steps :, begin:end].astype(spec.dtype).tobytes())
            begin = end
        return b"".join(parts)

    def window(self, data: bytes) -> FloatArray:
        """Return the steps ``(steps, width) float32`` in a row's inputs; NaN before a shorter one.

        Raises
        ------
        FormatError
            If these are not bytes of such inputs.
        """
        if self._plain and len(data) == self.size:
            return np.frombuffer(data, np.float32).reshape(self.steps, self.width)
        if not self.comparable:
            raise FormatError("the graph takes bars: its windows have no columns of their own")
        parsed = parse_inputs(self.given, [data])
        window = np.full((self.steps, self.width), np.nan, np.float32)
        begin = 0
        for spec in self._columns:
            end = begin + len(spec.names)
            window[self.steps - spec.steps :, begin:end] = parsed[spec.name].reshape(spec.steps, -1)
            begin = end
        return window
