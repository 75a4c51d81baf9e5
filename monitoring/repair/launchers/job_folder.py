"""A job's folder, ``<state>/jobs/<key>/``: what it printed, and its log."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

KEPT_JOBS = 50
OUTPUT, LOG = "output.json", "log.txt"
_LOG_BYTES = 4_000


def job_folder(state: Path, key: str) -> Path:
    """Return where the traces of a job are."""
    return state / "jobs" / key


def old_folders(state: Path) -> list[Path]:
    """Return the folders of all jobs but the newest `KEPT_JOBS`."""
    jobs = sorted((state / "jobs").glob("*"), key=lambda path: path.stat().st_mtime)
    return jobs[:-KEPT_JOBS]


def read_document(folder: Path) -> dict[str, Any] | None:
    """Return the JSON object a job printed, or None while there is no whole one."""
    try:
        found = json.loads((folder / OUTPUT).read_bytes())
    except (OSError, ValueError):
        return None
    return found if isinstance(found, dict) else None


def read_log(folder: Path) -> str:
    """Return the end of a job's log; empty if there is none."""
    path = folder / LOG
    if not path.exists():
        return ""
    return path.read_bytes()[-_LOG_BYTES:].decode(errors="replace")
