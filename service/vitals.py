"""What a process of the service uses: time, memory, files, garbage collections."""

from __future__ import annotations

import gc
import time

import psutil  # type: ignore[import-untyped]  # it has no stubs of its own

from plumbline.service.process_metrics import ProcessMetrics


class Vitals:
    """Publishes what this process uses, now and then.

    prometheus_client's own collector knows one process only; these are added up over all of a
    service, and the time of a worker that was killed stays counted.
    """

    def __init__(self, metrics: ProcessMetrics) -> None:
        self._metrics = metrics
        self._process = psutil.Process()
        self._cpu = 0.0
        self._collections = [0] * len(gc.get_stats())

    def publish(self) -> None:
        """Publish once."""
        cpu = time.process_time()
        done = [stats["collections"] for stats in gc.get_stats()]
        new = [now - before for now, before in zip(done, self._collections, strict=True)]
        self._metrics.count_process(cpu - self._cpu, new)
        self._cpu, self._collections = cpu, done
        memory = self._process.memory_info().rss
        self._metrics.set_process(memory, self._process.num_fds())
