"""Shipping: a thread of the parent process that seals spooled rows into the store.

The workers only append. The parent, which answers no requests, ships for all of them, takes over
the spools of workers that died, and ships what is left when all have stopped.
"""

from __future__ import annotations

import threading
from collections import Counter
from pathlib import Path

import structlog

from plumbline.service.log_metrics import TABLES
from plumbline.service.metrics import Metrics
from plumbline.service.vitals import Vitals
from plumbline.store.errors import StoreError
from plumbline.store.objects import Objects
from plumbline.store.shipper import Shipper

log = structlog.get_logger()


class Shipping:
    """Ships every ``seconds`` until stopped.

    Parameters
    ----------
    folder
        Common folder of the spools.
    objects
        The store.
    metrics
        Counts shipped rows, and what this process uses.
    seconds
        Pause between rounds.
    """

    def __init__(self, folder: Path, objects: Objects, metrics: Metrics, seconds: float) -> None:
        self._shipper = Shipper(folder, objects)
        self._metrics = metrics.log
        self._vitals = Vitals(metrics.process)
        self._seconds = seconds
        self._counted: Counter[str] = Counter()
        self._fault = ""
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._run, name="shipping", daemon=True)

    def start(self) -> None:
        """Start shipping."""
        self._thread.start()

    def stop(self) -> None:
        """Stop, then ship what the stopped workers have left."""
        self._stopped.set()
        if self._thread.is_alive():
            self._thread.join()
        self.ship()

    def ship(self) -> None:
        """Ship once; rows that cannot be shipped stay in their spools for the next time."""
        try:
            self._shipper.ship()
        except StoreError as error:
            if not self._fault:
                log.error("shipping_failed", reason=str(error))
            self._fault = str(error)
        else:
            if self._fault:
                log.info("shipping_recovered")
            self._fault = ""
        for table in TABLES:
            done = self._shipper.shipped[table] - self._counted[table]
            if done:
                self._metrics.count_shipped(table, done)
        self._counted = Counter(self._shipper.shipped)
        self._vitals.publish()

    def _run(self) -> None:
        while not self._stopped.wait(self._seconds):
            try:
                self.ship()
            except Exception:
                log.exception("shipping_failed")
