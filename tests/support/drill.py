"""A drill that a client pod carries out: ``plumbline drill``, and the incidents it led to."""

from __future__ import annotations

_SCRIPT = """set -e
cd /tmp
plumbline replay-data --config eurusd-1h --out replay.npz >/dev/null
cat >system.json <<'J'
{"service_url": "http://@SERVICE@:3000", "store_url": "@STORE@",
 "model": "@MODEL@", "replay": "/tmp/replay.npz", "service_pid": null}
J
plumbline drill @DRILL@ --state /tmp --json >report.json || true
python - <<'P'
import json
from plumbline.store.incident import IncidentBook
from plumbline.store.objects import Objects
drill = json.load(open("report.json"))["drills"][0]
incidents = [head.value for head in IncidentBook(Objects("@STORE@"), "@MODEL@").all()]
drill["incidents"] = [json.loads(each.model_dump_json()) for each in incidents]
print(json.dumps(drill))
P
"""


def drill_script(drill: str, model: str, service: str, store: str = "file:///store") -> str:
    """Return what the pod runs; it prints the drill's result with all incidents of the model."""
    script = _SCRIPT.replace("@DRILL@", drill).replace("@MODEL@", model)
    return script.replace("@SERVICE@", service).replace("@STORE@", store)
