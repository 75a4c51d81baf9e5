"""Heads: what a kind of output means. One of ours is a module and a line here; docs/plugins.md."""

from __future__ import annotations

from typing import Any

from plumbline.bundle.heads.base import Head
from plumbline.bundle.heads.choice import ChoiceHead
from plumbline.bundle.heads.score import ScoreHead
from plumbline.bundle.heads.value import ValueHead
from plumbline.bundle.plugin import Plugins
from plumbline.bundle.spec import OutputSpec

HEADS: Plugins[Head[Any]] = Plugins(
    "heads",
    Head,
    {
        "choice": ChoiceHead,
        "value": ValueHead,
        "score": ScoreHead,
    },
)


def build_head(spec: OutputSpec) -> Head[Any]:
    """Return the head of an output.

    Raises
    ------
    ValueError
        If there is no head of this kind, or the specification is none of its.
    """
    if spec.kind not in HEADS:
        raise ValueError(f"output {spec.name}: kind {spec.kind!r}, expected one of {sorted(HEADS)}")
    return HEADS[spec.kind](spec)


__all__ = ["HEADS", "Head", "build_head"]
