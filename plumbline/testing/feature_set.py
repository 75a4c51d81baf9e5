"""The contract of feature sets."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from plumbline.testing.contract import hold, require_kind
from plumbline.testing.market import walk
from plumbline.training import feature_promises
from plumbline.training.bars import Bars
from plumbline.training.feature_sets import FeatureSet


def check_feature_set(
    kind: type[FeatureSet[Any]],
    parameters: Mapping[str, Any] | None = None,
    bars: Bars | None = None,
    *,
    window_length: int = 12,
) -> None:
    """Hold a feature set to everything it promises.

    Parameters
    ----------
    kind
        The class.
    parameters
        Of its ``Params``; what is left out is found in the bars.
    bars
        A few hundred more than a window needs; 700 hours of a random walk if left out.
    window_length
        Rows in a window.

    Raises
    ------
    ContractError
        With the first promise that is broken.
    """
    require_kind(kind, FeatureSet)
    held = walk(700) if bars is None else bars

    def keeps_its_promises(found: type[FeatureSet[Any]]) -> None:
        """Names, shape, finite rows, no future, finite memory, windows and exported graph."""
        params = found.Params.model_validate(dict(parameters or {}))
        feature_set = found(found.resolved(params, [held])).eval().requires_grad_(False)
        feature_promises.check_feature_set(feature_set, held, window_length=window_length)

    hold(kind.__qualname__, (keeps_its_promises,), kind)
