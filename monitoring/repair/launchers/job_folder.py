"""A job's folder, ``<state>/jobs/<key>/``: what it printed, and its log."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

KEPT_JOBS = 50
OUTPUT, LOG = "output.json", "log.txt"
_SHOWN_BYTES = 4_000


def job_folder(state: Path, key: str) -> Path:
    """Return where the traces of a job are."""
    return state / "jobs" / key


def old_folders(state: Path) -> list[Path]:
    """Return the folders of all jobs but the newest `KEPT_JOBS`."""
    jobs = sorted((state / "jobs").glob("*"), key=lambda path: path.stat().st_mtime)
    return jobs[:-KEPT_JOBS]


def keep_log(state: Path, key: str, text: str) -> None:
    """Write the log of a job down, and apart from it what the job printed; nothing if empty."""
    if not text:
        return
    for path in old_folders(state):
        shutil.rmtree(path, ignore_errors=True)
    folder = job_folder(state, key)
    folder.mkdir(parents=True, exist_ok=True)
    document, said = document_of(text)
    (folder / LOG).write_text(said)
    if document is not None:
        (folder / OUTPUT).write_text(json.dumps(document))


def read_document(folder: Path) -> dict[str, Any] | None:
    """Return the JSON object a job printed, or None while there is no whole one."""
    try:
        found = json.loads((folder / OUTPUT).read_bytes())
    except (OSError, ValueError):
        return None
    return found if isinstance(found, dict) else None


def read_log(folder: Path, most: int = _SHOWN_BYTES) -> str:
    """Return the end of a job's log, at most so many bytes; empty if there is none."""
    path = folder / LOG
    if not path.exists():
        return ""
    with path.open("rb") as file:
        file.seek(max(path.stat().st_size - most, 0))
        return file.read().decode(errors="replace")


def document_of(text: str) -> tuple[dict[str, Any] | None, str]:
    """Return the last JSON object of a log that begins a line, and the log without it.

    Where a job has one log, what it wrote to standard output stands among the rest.
    """
    decoder, end = json.JSONDecoder(), len(text)
    while (start := text.rfind("{", 0, end)) >= 0:
        end = start
        if start and text[start - 1] != "\n":
            continue
        try:
            found, size = decoder.raw_decode(text[start:])
        except ValueError:
            continue
        return found, text[:start] + text[start + size :].lstrip("\n")
    return None, text
