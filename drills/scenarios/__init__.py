"""Every drill: one file, one line here. They run in this order."""

from __future__ import annotations

from drills.drill import Drill
from drills.scenarios.always_hold import AlwaysHold
from drills.scenarios.always_sell import AlwaysSell
from drills.scenarios.bad_candidate import BadCandidate
from drills.scenarios.bias import Bias
from drills.scenarios.flat import Flat
from drills.scenarios.frozen_feed import FrozenFeed
from drills.scenarios.healthy import Healthy
from drills.scenarios.kill_worker import KillWorker
from drills.scenarios.quiet_market import QuietMarket
from drills.scenarios.swap_under_load import SwapUnderLoad
from drills.scenarios.zero_padded import ZeroPadded

DRILLS: dict[str, type[Drill]] = {
    drill.name: drill
    for drill in (
        Healthy,
        QuietMarket,
        ZeroPadded,
        FrozenFeed,
        Bias,
        AlwaysHold,
        AlwaysSell,
        Flat,
        BadCandidate,
        SwapUnderLoad,
        KillWorker,
    )
}
