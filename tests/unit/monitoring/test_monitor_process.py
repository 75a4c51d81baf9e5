"""What a monitor is built of hangs on what is installed."""

from __future__ import annotations

import sys

from structlog.testing import capture_logs

from plumbline.monitoring.process import recompute_launcher
from plumbline.monitoring.settings import MonitoringSettings


def test_without_torch_nothing_is_computed_again_and_that_is_said_once(tmp_path, monkeypatch):
    """As in the image `monitoring`: no attempt that fails again and again."""
    settings = MonitoringSettings.load(store="memory://process", state=tmp_path)
    assert recompute_launcher(settings) is not None

    monkeypatch.setitem(sys.modules, "torch", None)
    with capture_logs() as said:
        assert recompute_launcher(settings) is None

    assert [each["event"] for each in said] == ["recomputation_off"]
