"""What Prometheus reads of a service: the processes' metrics as one, in the form it asks for.

With several workers prometheus_client keeps one memory-mapped file per process in
``PROMETHEUS_MULTIPROC_DIR``, and the worker that is asked adds them all up: counters of a killed
worker stay counted, its live gauges are swept away before each scrape. What only the whole can
know is done here: the series of a version that no process has served for an hour are left out, and
so is a generation that none serves any more.

Exemplars are those of the worker that is asked. Its requests are among those counted, which is all
that an exemplar says.
"""

from __future__ import annotations

import os
import re
from bisect import bisect_left
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from time import time

import psutil  # type: ignore[import-untyped]  # it has no stubs of its own
from prometheus_client import CollectorRegistry, Metric
from prometheus_client.exposition import choose_encoder
from prometheus_client.multiprocess import MultiProcessCollector
from prometheus_client.registry import Collector
from prometheus_client.samples import Exemplar, Sample
from prometheus_client.utils import floatToGoString
from typing_extensions import override

DIRECTORY = "PROMETHEUS_MULTIPROC_DIR"
SERVED = "plumbline_service_last_served_timestamp_seconds"
INFO = "plumbline_service_model_info"


class Exemplars:
    """The newest request in each bucket of a histogram, by route.

    Parameters
    ----------
    name, buckets
        The histogram, and its upper bounds without infinity.
    """

    def __init__(self, name: str, buckets: tuple[float, ...]) -> None:
        self.name = name
        self._buckets = buckets
        self._bounds = [*map(floatToGoString, buckets), "+Inf"]
        self._newest: dict[tuple[str, str], tuple[str, float, float]] = {}

    def note(self, route: str, seconds: float, trace: str) -> None:
        """Take in one request."""
        bound = self._bounds[bisect_left(self._buckets, seconds)]
        self._newest[route, bound] = trace, seconds, time()

    def attach(self, sample: Sample) -> Sample:
        """Return a sample with the exemplar of its bucket, if there is one."""
        key = sample.labels.get("route", ""), sample.labels.get("le", "")
        found = self._newest.get(key)
        if found is None or not sample.name.endswith("_bucket"):
            return sample
        trace, seconds, moment = found
        return sample._replace(exemplar=Exemplar({"trace_id": trace}, seconds, moment))


class _Present(Collector):  # type: ignore[misc]  # an untyped base class
    """What another collector has, of what serves or has served until lately."""

    def __init__(self, whole: Collector, exemplars: Exemplars, since: float) -> None:
        self._whole = whole
        self._exemplars = exemplars
        self._since = since

    @override
    def collect(self) -> Iterable[Metric]:
        families = list(self._whole.collect())
        gone = set(_gone(families, self._since))
        for family in families:
            samples = [each for each in family.samples if _version(each) not in gone]
            if family.name == INFO:
                samples = [each for each in samples if each.value]
            if family.name == self._exemplars.name:
                samples = [self._exemplars.attach(each) for each in samples]
            if samples:
                family.samples = samples
                yield family


def expose(
    registry: CollectorRegistry,
    exemplars: Exemplars,
    accept: str = "",
    *,
    retention: float,
    clock: Callable[[], float] = time,
) -> tuple[bytes, str]:
    """Return the metrics of all processes, and their content type.

    Parameters
    ----------
    registry, exemplars
        Of this process; the registry is what is exposed where there are no others.
    accept
        What the caller takes, as its header says; OpenMetrics, with exemplars, if it asks for it.
    retention
        Seconds for which a version's series outlive its last moment of service.
    """
    whole: Collector = registry
    directory = os.environ.get(DIRECTORY)
    if directory is not None:
        sweep(Path(directory))
        whole = MultiProcessCollector(None, directory)
    shown = CollectorRegistry()
    shown.register(_Present(whole, exemplars, clock() - retention))
    encode, content_type = choose_encoder(accept)
    return bytes(encode(shown)), content_type


def _version(sample: Sample) -> tuple[str, str] | None:
    model, version = sample.labels.get("model"), sample.labels.get("version")
    return None if model is None or version is None else (model, version)


def _gone(families: Iterable[Metric], since: float) -> Iterator[tuple[str, str] | None]:
    """Yield the versions that have not served since then."""
    for family in families:
        if family.name == SERVED:
            yield from (_version(each) for each in family.samples if each.value < since)


def sweep(directory: Path) -> None:
    """Remove the live gauges of processes that are gone.

    Only files whose process does not exist any more: a process id that was taken over by another
    program keeps a ghost until that ends, which is rare and small.
    """
    for path in directory.glob("gauge_live*.db"):
        found = re.search(r"_(\d+)\.db$", path.name)
        if found and not _alive(int(found[1])):
            path.unlink(missing_ok=True)


def _alive(process: int) -> bool:
    """Whether a process runs; one that is dead but not yet collected by its parent does not."""
    try:
        return bool(psutil.Process(process).status() != psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return False
