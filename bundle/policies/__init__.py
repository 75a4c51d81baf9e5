"""Policies: what is done with a reading. One of ours is a module and a line; docs/plugins.md."""

from __future__ import annotations

from typing import Any

from plumbline.bundle.plugin import Plugins
from plumbline.bundle.policies.abstain import AbstainPolicy
from plumbline.bundle.policies.argmax import ArgmaxPolicy
from plumbline.bundle.policies.base import Policy
from plumbline.bundle.policies.kelly import KellyPolicy
from plumbline.bundle.policies.rank import RankPolicy

POLICIES: Plugins[Policy[Any]] = Plugins(
    "policies",
    Policy,
    {
        "argmax": ArgmaxPolicy,
        "kelly": KellyPolicy,
        "rank": RankPolicy,
        "abstain": AbstainPolicy,
    },
)

__all__ = ["POLICIES", "Policy"]
