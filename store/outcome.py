"""What became of a prediction: realised labels and returns, late and repeated arrivals allowed."""

from __future__ import annotations

from dataclasses import dataclass

import pyarrow as pa

OUTCOME_SCHEMA = pa.schema(
    [
        pa.field("prediction_id", pa.string(), nullable=False),
        pa.field("time", pa.timestamp("us", tz="UTC"), nullable=False),
        pa.field("received", pa.timestamp("us", tz="UTC"), nullable=False),
        pa.field("model", pa.string(), nullable=False),
        pa.field("label", pa.string()),
        pa.field("forward_return", pa.float64()),
    ]
)


@dataclass(frozen=True, slots=True)
class OutcomeRow:
    """What turned out, for one prediction.

    Attributes
    ----------
    prediction_id
        Of the prediction; an outcome may arrive before the prediction's own row is sealed.
    time
        When it was known, by the client's account; the latest wins. Microseconds since 1970 UTC.
    received
        When the service took it, by the service's clock; decides ties and the segment's folder.
    label
        Class name, if the client said.
    forward_return
        Relative, over the label's horizon, if the client said.
    """

    prediction_id: str
    time: int
    received: int
    model: str
    label: str | None
    forward_return: float | None
