"""One small module per verdict; the order of the mapping is the precedence, the first match wins.

Broken inputs come first: a model must not be accused of what it was fed. Then come the failures
that explain others: a flat model is also dominant, a saturated one too. A bias that an offset
repairs is asked for before dominance, and a market that explains a share before the model is blamed
for it.
"""

from __future__ import annotations

from plumbline.bundle.errors import PluginError
from plumbline.bundle.verdict import OWN_VERDICTS, Verdict, verdict_named
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
    over_dispersed,
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
    Verdict.OVER_DISPERSED: over_dispersed.rule,
    Verdict.BIAS_SHIFT: bias_shift.rule,
    Verdict.REGIME: regime.rule,
    Verdict.DOMINANT_ACTION: dominant_action.rule,
    Verdict.NO_SIGNAL: no_signal.rule,
    Verdict.DRIFT: drift.rule,
    Verdict.HEALTHY: healthy.rule,
}
"""Ours, in their order."""


def all_verdicts() -> dict[Verdict, Rule]:
    """Return ours and those from outside, each before the one it names, in the order of asking.

    Raises
    ------
    PluginError
        If one from outside names a verdict that there is no rule for.
    """
    ordered = list(VERDICTS.items())
    for name in OWN_VERDICTS:
        own = OWN_VERDICTS[name]()
        places = [place for place, (verdict, _) in enumerate(ordered) if verdict == own.before]
        if not places:
            raise PluginError(
                f"verdicts {name!r}: before is {own.before!r}, expected one of "
                f"{[verdict.value for verdict, _ in ordered]}"
            )
        ordered.insert(places[0], (verdict_named(name), own.rule))
    return dict(ordered)
