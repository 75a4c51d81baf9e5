"""What the service's tests share."""

from __future__ import annotations

from pathlib import Path

import pytest

from plumbline.service.settings import ServiceSettings
from tests.support.served import MODEL, promoted


@pytest.fixture
def settings(tmp_path: Path) -> ServiceSettings:
    """A service with one small champion, polling fast."""
    url = (tmp_path / "store").as_uri()
    promoted(url)
    return ServiceSettings(store=url, models=(MODEL,), state=tmp_path / "state", poll_seconds=0.05)
