"""The processes of a service: what they are, and what they use."""

from __future__ import annotations

import gc
from collections.abc import Sequence

import psutil  # type: ignore[import-untyped]  # it has no stubs of its own
from prometheus_client import CollectorRegistry

from plumbline.service.metric_group import MetricGroup
from plumbline.store.build import build_labels


class ProcessMetrics(MetricGroup):
    """The metrics of a process; `vitals.Vitals` measures."""

    def __init__(self, registry: CollectorRegistry) -> None:
        super().__init__(registry)
        build = build_labels("service")
        self._build = self._gauge("plumbline_build_info", "The program that runs.", list(build))
        self._build.labels(**build).set(1)
        self._restarts = self._counter(
            "plumbline_service_worker_restarts", "Workers started in place of one that died.", []
        )
        self._cpu = self._counter(
            "process_cpu_seconds", "Processor time of all processes, dead ones included.", []
        )
        self._memory = self._gauge(
            "process_resident_memory_bytes", "Resident memory of all processes.", [], "livesum"
        )
        self._open_fds = self._gauge(
            "process_open_fds", "Open files of all processes.", [], "livesum"
        )
        self._started = self._gauge(
            "process_start_time_seconds", "When the oldest process started.", [], "livemin"
        )
        self._started.set(psutil.Process().create_time())
        self._collections = self._counter(
            "python_gc_collections", "Garbage collections of all processes.", ["generation"]
        )
        for generation in range(len(gc.get_stats())):
            self._collections.labels(str(generation))

    def count_restarts(self, workers: int) -> None:
        """Count workers that were started in place of others."""
        self._restarts.inc(workers)

    def count_process(self, cpu: float, collections: Sequence[int]) -> None:
        """Count processor time, and garbage collections by generation, since the last call."""
        self._cpu.inc(cpu)
        for generation, done in enumerate(collections):
            self._collections.labels(str(generation)).inc(done)

    def set_process(self, memory: int, open_fds: int) -> None:
        """Say what this process holds: bytes of memory, and files."""
        self._memory.set(memory)
        self._open_fds.set(open_fds)
