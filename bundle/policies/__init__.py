"""Policies: what is done with a reading. A new one is one file and one line here."""

from __future__ import annotations

from typing import Any

from plumbline.bundle.policies.abstain import AbstainPolicy
from plumbline.bundle.policies.argmax import ArgmaxPolicy
from plumbline.bundle.policies.base import Policy
from plumbline.bundle.policies.kelly import KellyPolicy
from plumbline.bundle.policies.rank import RankPolicy

POLICIES: dict[str, type[Policy[Any]]] = {
    "argmax": ArgmaxPolicy,
    "kelly": KellyPolicy,
    "rank": RankPolicy,
    "abstain": AbstainPolicy,
}

__all__ = ["POLICIES", "Policy"]
