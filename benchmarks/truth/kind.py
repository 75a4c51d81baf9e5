"""A kind of fault, or of harmless event: what it does to a scene, and what is right to say of it.

Each kind does one thing in one phase of a prediction's life:

```
bars ─► table ─► windows ─► graph ─► raw ─► reading ─► log
feed    client    client    gate   artefact artefact  network, clock
```

``bars`` edits what the exchange sent, ``table`` the columns a client computes bar by bar (so that
the history of a window fills up with what is wrong), ``windows`` whole windows that a client
computes afresh for every request, ``graph`` the bundle's own graph (what is served under the name
is what the registry holds: the gate let it through), ``raw`` and ``reading`` what the service
answered, ``log`` order, clocks and repetition of what was recorded.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from benchmarks.truth.market import Market

Phase = Literal["bars", "table", "windows", "graph", "raw", "reading", "log"]
Who = Literal["all", "one", "four"]

CALM = frozenset({"healthy", "regime", "drift", "insufficient_data"})
"""Under these nobody is accused: sizes go on."""

SKEW = frozenset({"schema_skew"})
STALE = frozenset({"stale_features", "schema_skew"})
FROZEN = frozenset({"frozen_feed"})
STUCK = frozenset({"frozen_feed", "stale_features", "schema_skew"})
ARTEFACT = frozenset({"artefact_fault"})
DEAD = frozenset({"flat", "dominant_action", "saturated"})


@dataclass(frozen=True)
class Kind:
    """One kind.

    Attributes
    ----------
    name
        Unique.
    phase
        Where it acts; see the module.
    apply
        Edits the scene; of ``graph``, returns the graph of a market instead.
    right
        Verdicts that name the cause.
    also
        Verdicts counted as right for a reason that the kind's docstring gives.
    side
        Where the fault lies: of `bundle.verdict.Side`, or ``none`` for what is harmless.
    sides
        Sides that may be blamed without blaming the wrong party.
    exact
        Whether arithmetic on what is logged can decide it.
    recompute
        Whether only features recomputed from bars can decide it.
    who
        Which symbols it happens to, where there are several.
    first
        Whether it is there from the first row.
    fits
        Whether it can happen in a market.
    blind
        Whether it was written without having read the detectors.
    """

    name: str
    phase: Phase
    apply: Callable[[Any], Any]
    right: frozenset[str]
    side: str
    also: frozenset[str] = frozenset()
    exact: bool = False
    recompute: bool = False
    who: Who = "all"
    first: bool = False
    fits: Callable[[Market], bool] = lambda _market: True
    blind: bool = True

    @property
    def harmless(self) -> bool:
        """Whether nobody is to be accused."""
        return self.side == "none"

    @property
    def sides(self) -> frozenset[str]:
        """Sides that are not the wrong party."""
        if self.side in ("client", "feed"):  # both page whoever runs the inputs
            return frozenset({"client", "feed"})
        return frozenset({self.side})


class Kinds:
    """A list of kinds that functions are entered in by decoration."""

    def __init__(self, *, blind: bool) -> None:
        self.all: list[Kind] = []
        self._blind = blind

    def __call__(
        self, name: str, phase: Phase, side: str, right: frozenset[str], **rest: Any
    ) -> Callable[[Callable[[Any], Any]], Callable[[Any], Any]]:
        """Enter the decorated function under a name."""

        def enter(apply: Callable[[Any], Any]) -> Callable[[Any], Any]:
            self.all.append(Kind(name, phase, apply, right, side, blind=self._blind, **rest))
            return apply

        return enter

    def harmless(
        self, name: str, phase: Phase, **rest: Any
    ) -> Callable[[Callable[[Any], Any]], Callable[[Any], Any]]:
        """Enter something of which nobody is to be accused."""
        return self(name, phase, "none", CALM, **rest)

    def variant(self, name: str, of: str, **changes: Any) -> None:
        """Enter a kind that differs from another in these fields alone."""
        (found,) = (each for each in self.all if each.name == of)
        self.all.append(replace(found, name=name, **changes))
