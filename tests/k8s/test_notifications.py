"""The component `notifications`: the monitor finds its secret, and starts without it."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import kubernetes_validate
import pytest
import yaml

from plumbline.monitoring.settings import MonitoringSettings
from tests.support.declared import ROOT
from tests.support.programs import require_program

pytestmark = pytest.mark.tools


@pytest.fixture
def monitor(tmp_path: Path) -> dict:
    """The monitor's Deployment in an overlay that takes the component."""
    k8s = os.path.relpath(ROOT / "k8s", tmp_path)
    overlay = {
        "apiVersion": "kustomize.config.k8s.io/v1beta1",
        "kind": "Kustomization",
        "resources": [f"{k8s}/base"],
        "components": [f"{k8s}/components/notifications"],
    }
    (tmp_path / "kustomization.yaml").write_text(yaml.safe_dump(overlay))
    program = require_program("kubectl")
    built = subprocess.run(
        [program, "kustomize", str(tmp_path)], check=True, capture_output=True, text=True
    )
    found = [
        each
        for each in yaml.safe_load_all(built.stdout)
        if (each["kind"], each["metadata"]["name"]) == ("Deployment", "plumbline-monitor")
    ]
    assert len(found) == 1
    return found[0]


def test_the_address_is_read_from_the_secret(monitor, monkeypatch):
    """A file of a volume that need not be there; the setting names it and is one of ours."""
    kubernetes_validate.validate(monitor, "1.32", strict=True)
    spec = monitor["spec"]["template"]["spec"]
    (container,) = spec["containers"]
    volume = next(each for each in spec["volumes"] if each["name"] == "notifications")
    mount = next(each for each in container["volumeMounts"] if each["name"] == "notifications")
    given = {each["name"]: each.get("value") for each in container["env"]}
    name = "PLUMBLINE_MONITORING_NOTIFY_URL_FILE"
    monkeypatch.setenv(name, given[name])
    settings = MonitoringSettings.load(store="memory://k8s")

    assert volume["secret"]["secretName"] == "plumbline-notifications"
    assert volume["secret"]["optional"] is True
    assert mount["readOnly"] is True
    assert str(settings.notify_url_file) == f"{mount['mountPath']}/url"
