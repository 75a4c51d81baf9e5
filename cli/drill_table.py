"""The live table of drills: what broke, when it was noticed, what was said, what was done."""

from __future__ import annotations

from rich.console import RenderableType
from rich.table import Table

from plumbline.drills.result import DrillResult

_COLUMNS = ("drill", "said", "noticed after", "retrains", "recovered", "requests", "rows", "")


class DrillTable:
    """One row per drill, updated as they go; renders itself with rich."""

    def __init__(self, names: list[str]) -> None:
        self._rows: dict[str, str | DrillResult] = dict.fromkeys(names, "waiting")

    def update(self, name: str, what: object) -> None:
        """Take a drill's progress (text) or its result."""
        if isinstance(what, str | DrillResult):
            self._rows[name] = what

    def line(self, name: str) -> str:
        """Return a drill's result as one line of text."""
        found = self._rows[name]
        if isinstance(found, str):
            return f"{name}: {found}"
        cells = zip(_COLUMNS[1:], _cells(found), strict=True)
        return f"{name}: " + ", ".join(f"{key} {cell}".strip() for key, cell in cells)

    def __rich__(self) -> RenderableType:
        """Draw the table."""
        drawn = Table(box=None, pad_edge=False, header_style="bold")
        for column in _COLUMNS:
            drawn.add_column(column, overflow="fold")
        for name, found in self._rows.items():
            if isinstance(found, str):
                style = "dim" if found == "waiting" else "yellow"
                drawn.add_row(name, *[""] * (len(_COLUMNS) - 2), found, style=style)
            else:
                drawn.add_row(name, *_cells(found), style="" if found.passed else "red")
        return drawn


def _cells(result: DrillResult) -> list[str]:
    noticed = result.detected_after_predictions
    recovered = result.recovered_seconds
    return [
        result.verdict,
        "-" if noticed is None else f"{noticed} predictions",
        str(result.retrains),
        "-" if recovered is None else f"{recovered:.0f} s",
        f"{result.requests} ({result.failed_requests} failed)",
        f"{result.rows_in_log} of {result.rows_acknowledged}",
        "passed" if result.passed else "; ".join(result.shortfalls),
    ]
