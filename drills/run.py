"""Running drills one after another, with a live table of how they go."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from plumbline.drills.drill import Drill
from plumbline.drills.result import DrillReport, DrillResult
from plumbline.drills.system import System

Listener = Callable[[str, str | DrillResult], None]
"""Called with a drill's name and what it is doing, or its result."""


async def run_drills(
    system: System, drills: Sequence[type[Drill]], listener: Listener
) -> DrillReport:
    """Run drills in order against one running system; a failed one does not stop the others."""
    results = []
    for kind in drills:

        def tell(text: str, name: str = kind.name) -> None:
            listener(name, text)

        result = await kind(system, tell).run()
        listener(kind.name, result)
        results.append(result)
    return DrillReport(drills=tuple(results))
