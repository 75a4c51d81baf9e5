"""The workers of a service on this machine."""

from __future__ import annotations

from pathlib import Path

_WORKER = b"_bentoml_impl.worker.service"


def workers_of(pid: int) -> list[int]:
    """Return the process ids of the service workers among the descendants of a process, sorted."""
    children: dict[int, list[int]] = {}
    commands: dict[int, bytes] = {}
    for folder in Path("/proc").iterdir():
        if not folder.name.isdigit():
            continue
        try:
            fields = (folder / "stat").read_text().rsplit(")", 1)[1].split()
            commands[int(folder.name)] = (folder / "cmdline").read_bytes()
        except OSError:
            continue  # it ended while we looked
        children.setdefault(int(fields[1]), []).append(int(folder.name))
    found, waiting = [], [pid]
    while waiting:
        current = waiting.pop()
        waiting += children.get(current, [])
        if _WORKER in commands.get(current, b""):
            found.append(current)
    return sorted(found)
