"""What every plug-in of a kind promises, as functions: ``check_family(MyFamily)``.

Each returns when all promises are kept and raises `ContractError` with one sentence at the first
that is not. They need no test runner, and the built-in plug-ins are held to them, too. See
docs/plugins.md.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from plumbline.testing.backend import check_backend
    from plumbline.testing.contract import ContractError
    from plumbline.testing.detector import check_detector
    from plumbline.testing.family import check_family
    from plumbline.testing.feature_set import check_feature_set
    from plumbline.testing.head import check_head
    from plumbline.testing.label import check_label
    from plumbline.testing.launcher import Jobs, check_launcher
    from plumbline.testing.loss import check_loss
    from plumbline.testing.market import walk
    from plumbline.testing.policy import check_policy
    from plumbline.testing.trigger import check_trigger, situation
    from plumbline.testing.verdict import check_verdict

_HOMES = {
    "ContractError": "contract",
    "Jobs": "launcher",
    "check_backend": "backend",
    "check_detector": "detector",
    "check_family": "family",
    "check_feature_set": "feature_set",
    "check_head": "head",
    "check_label": "label",
    "check_launcher": "launcher",
    "check_loss": "loss",
    "check_policy": "policy",
    "check_trigger": "trigger",
    "check_verdict": "verdict",
    "situation": "trigger",
    "walk": "market",
}


def __getattr__(name: str) -> Any:
    """Import what is asked for, so that checking a trigger does not need torch."""
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)


__all__ = [
    "ContractError",
    "Jobs",
    "check_backend",
    "check_detector",
    "check_family",
    "check_feature_set",
    "check_head",
    "check_label",
    "check_launcher",
    "check_loss",
    "check_policy",
    "check_trigger",
    "check_verdict",
    "situation",
    "walk",
]
