"""One small module per verdict; the order of the mapping is the precedence, the first match wins.

Broken inputs come first: a model must not be accused of what it was fed. Then come the failures
that explain others: a flat model is also dominant, a saturated one too. A bias that an offset
repairs is asked for before dominance, and a market that explains a share before the model is blamed
for it.
"""

from __future__ import annotations

from plumbline.bundle.finding import Verdict
from plumbline.diagnosis.ruling import Rule
from plumbline.diagnosis.verdicts import (
    bias_shift,
    dominant_action,
    drift,
    flat,
    frozen_feed,
    healthy,
    insufficient_data,
    leak,
    no_signal,
    regime,
    saturated,
    schema_skew,
    stale_features,
)

VERDICTS: dict[Verdict, Rule] = {
    Verdict.FROZEN_FEED: frozen_feed.rule,
    Verdict.SCHEMA_SKEW: schema_skew.rule,
    Verdict.STALE_FEATURES: stale_features.rule,
    Verdict.INSUFFICIENT_DATA: insufficient_data.rule,
    Verdict.FLAT: flat.rule,
    Verdict.SATURATED: saturated.rule,
    Verdict.LEAK: leak.rule,
    Verdict.BIAS_SHIFT: bias_shift.rule,
    Verdict.REGIME: regime.rule,
    Verdict.DOMINANT_ACTION: dominant_action.rule,
    Verdict.NO_SIGNAL: no_signal.rule,
    Verdict.DRIFT: drift.rule,
    Verdict.HEALTHY: healthy.rule,
}
