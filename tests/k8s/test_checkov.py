"""checkov, a policy checker of other people's, finds nothing but what k8s/checkov.yaml explains."""

from __future__ import annotations

import json
import subprocess

import pytest
import yaml

from tests.support.declared import ROOT
from tests.support.manifests import OVERLAYS, build
from tests.support.programs import require_program

pytestmark = [pytest.mark.slow, pytest.mark.tools, pytest.mark.timeout(300)]


def test_checkov_finds_nothing(tmp_path):
    """All overlays at once, the base having no images yet; and it did look."""
    for overlay in OVERLAYS[1:]:
        text = yaml.safe_dump_all(build(overlay))
        (tmp_path / f"{overlay.replace('/', '-')}.yaml").write_text(text)
    command = [
        *(require_program("checkov"), "--config-file", str(ROOT / "k8s" / "checkov.yaml")),
        *("--directory", str(tmp_path), "--output", "json"),
    ]
    result = subprocess.run(command, check=False, capture_output=True, text=True, timeout=240)
    report = json.loads(result.stdout)
    failed = [(f["check_id"], f["resource"]) for f in report["results"]["failed_checks"]]

    assert failed == []
    assert report["summary"]["passed"] > 1000
