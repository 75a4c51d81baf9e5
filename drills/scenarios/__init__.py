"""Every drill: one file, one line here. They run in this order."""

from __future__ import annotations

from plumbline.bundle.plugin import Plugins
from plumbline.drills.drill import Drill
from plumbline.drills.scenarios.always_hold import AlwaysHold
from plumbline.drills.scenarios.always_sell import AlwaysSell
from plumbline.drills.scenarios.anti_signal import AntiSignal
from plumbline.drills.scenarios.bad_candidate import BadCandidate
from plumbline.drills.scenarios.bias import Bias
from plumbline.drills.scenarios.double_scaling import DoubleScaling
from plumbline.drills.scenarios.flat import Flat
from plumbline.drills.scenarios.frozen_feed import FrozenFeed
from plumbline.drills.scenarios.healthy import Healthy
from plumbline.drills.scenarios.history_blank import HistoryBlank
from plumbline.drills.scenarios.kill_worker import KillWorker
from plumbline.drills.scenarios.late_feed import LateFeed
from plumbline.drills.scenarios.leaky_retrain import LeakyRetrain
from plumbline.drills.scenarios.noise_outputs import NoiseOutputs
from plumbline.drills.scenarios.one_symbol import OneSymbol
from plumbline.drills.scenarios.quiet_market import QuietMarket
from plumbline.drills.scenarios.stale_version import StaleVersion
from plumbline.drills.scenarios.swap_under_load import SwapUnderLoad
from plumbline.drills.scenarios.zero_padded import ZeroPadded

DRILLS: Plugins[Drill] = Plugins(
    "drills",
    Drill,
    {
        drill.name: drill
        for drill in (
            Healthy,
            QuietMarket,
            AntiSignal,
            ZeroPadded,
            FrozenFeed,
            LateFeed,
            DoubleScaling,
            HistoryBlank,
            OneSymbol,
            Bias,
            StaleVersion,
            NoiseOutputs,
            AlwaysHold,
            AlwaysSell,
            Flat,
            BadCandidate,
            LeakyRetrain,
            SwapUnderLoad,
            KillWorker,
        )
    },
)
