"""The versions whose answers may be given under another's name by mistake."""

from __future__ import annotations

from collections.abc import Callable

import structlog

from plumbline.bundle.archive import Bundle
from plumbline.bundle.errors import BundleError
from plumbline.store.errors import StoreError
from plumbline.store.registry import ModelRegistry

MOST = 4
"""Versions tried: a worker that missed a promotion serves one of the last few."""

log = structlog.get_logger()


def other_versions(registry: ModelRegistry, bundle: Bundle) -> Callable[[], dict[str, Bundle]]:
    """Return what opens them: the parent, the newest champions, and what else there is.

    Those that cannot be opened are left out: what is wrong with them is another matter.
    """

    def opened() -> dict[str, Bundle]:
        found: dict[str, Bundle] = {}
        for version in _candidates(registry, bundle):
            try:
                found[f"version {version}"] = registry.open(version)
            except (BundleError, StoreError) as error:
                log.warning("other_version_not_opened", version=version, reason=str(error))
            if len(found) == MOST:
                break
        return found

    return opened


def _candidates(registry: ModelRegistry, bundle: Bundle) -> list[str]:
    """Return versions, the likeliest first, without the one itself."""
    try:
        champions = [move.value.version for move in registry.history()][::-1]
        versions = [bundle.manifest.parent, *champions, *registry.versions()]
    except StoreError as error:
        log.warning("other_versions_not_listed", reason=str(error))
        versions = [bundle.manifest.parent]
    wanted = [version for version in versions if version and version != bundle.version]
    return list(dict.fromkeys(wanted))
