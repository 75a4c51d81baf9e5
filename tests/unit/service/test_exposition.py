"""What Prometheus reads: several processes as one, in its own format or as OpenMetrics."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest
from prometheus_client.openmetrics.parser import text_string_to_metric_families

from plumbline.service.metrics import Metrics
from tests.support.declared import ROOT
from tests.support.served import MODEL, ask, body

OPENMETRICS = {"accept": "application/openmetrics-text;version=1.0.0,text/plain;q=0.5"}

PROCESS = """
import sys
from types import SimpleNamespace
from plumbline.service import model_metrics as module
from plumbline.service.metrics import Metrics

module.time = lambda: float(sys.argv[1])
metrics = Metrics(("/predict",))
version = sys.argv[2]
predictor = SimpleNamespace(manifest=SimpleNamespace(name="m"), version=version)
serving = SimpleNamespace(predictor=predictor, generation=int(sys.argv[3]))
metrics.models.show_serving([(serving, "champion")])
metrics.models._predictions.labels("m", version).inc(5)
metrics.models._newest_bar.labels("m", version).set(float(sys.argv[3]))
metrics.requests.begin_request()
metrics.publish()
"""

SCRAPE = """
import sys
from plumbline.service.exposition import Exemplars, expose
from prometheus_client import CollectorRegistry

nothing = Exemplars("none", ())
text, _ = expose(CollectorRegistry(), nothing, retention=3600, clock=lambda: float(sys.argv[1]))
print(text.decode())
"""


def run(folder: Path, script: str, *arguments: object) -> str:
    """Run a process whose metrics lie in the folder, and return what it printed."""
    return subprocess.run(
        [sys.executable, "-c", script, *map(str, arguments)],
        env={**os.environ, "PROMETHEUS_MULTIPROC_DIR": str(folder)},
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    ).stdout


def test_versions_that_serve_no_more_disappear_from_all_processes(tmp_path):
    """After an hour, though the files of the dead still hold them; and come back with them."""
    run(tmp_path, PROCESS, 10_000, "old", 1)
    run(tmp_path, PROCESS, 12_000, "new", 2)
    within, after = run(tmp_path, SCRAPE, 13_500), run(tmp_path, SCRAPE, 13_700)
    run(tmp_path, PROCESS, 13_700, "old", 3)
    again = run(tmp_path, SCRAPE, 13_700)
    counted = 'plumbline_service_predictions_total{model="m",version="old"}'

    assert f"{counted} 5.0" in within
    assert 'version="old"' not in after
    assert 'plumbline_service_predictions_total{model="m",version="new"} 5.0' in after
    assert f"{counted} 10.0" in again


def test_the_dead_leave_their_counters_but_not_their_gauges(tmp_path):
    """What they answered stays counted; their requests in flight are gone."""
    for _ in range(3):
        run(tmp_path, PROCESS, 10_000, "v", 1)
    text = run(tmp_path, SCRAPE, 10_000)

    assert 'plumbline_service_predictions_total{model="m",version="v"} 15.0' in text
    assert "requests_in_flight" not in text


def test_openmetrics_bears_the_newest_prediction_of_a_bucket(settings):
    """By its id, by which people find it in the log."""

    async def scenario(client, worker):
        answer = (await client.post("/predict", json=body(1))).json()
        plain = await client.get("/metrics")
        return answer, plain, await client.get("/metrics", headers=OPENMETRICS)

    answer, plain, rich = ask(settings, scenario)
    families = {each.name: each for each in text_string_to_metric_families(rich.text)}
    buckets = families["plumbline_service_request_seconds"].samples
    (found,) = [each.exemplar for each in buckets if each.exemplar]

    assert plain.headers["content-type"].startswith("text/plain; version=0.0.4")
    assert "# {" not in plain.text
    assert rich.headers["content-type"].startswith("application/openmetrics-text; version=1.0.0")
    assert found.labels == {"trace_id": answer["predictions"][0]["prediction_id"]}


def test_what_is_loaded_and_how_fresh_it_is_can_be_read(settings):
    """Model, generation and role; interval and bands; the newest bar and answer; codes."""

    async def scenario(client, worker):
        sent = body(1, time="2017-06-01T00:00:00Z")
        answer = (await client.post("/predict", json=sent)).json()
        await client.post("/predict", json={"instances": []})
        worker._poller.poll()
        return answer["version"], (await client.get("/metrics")).text

    version, text = ask(settings, scenario)
    of = f'model="{MODEL}"', f'version="{version}"'
    lines = text.splitlines()

    assert (
        f'plumbline_service_model_info{{generation="1",{of[0]},role="champion",{of[1]}}} 1.0'
        in lines
    )
    both = ",".join(of)
    assert f"plumbline_service_bar_interval_seconds{{{both}}} 3600.0" in lines
    bar = f"plumbline_service_newest_bar_timestamp_seconds{{{both}}} 1.4962752e+09"
    assert bar in lines
    for code, count in (("200", 1), ("422", 1)):
        assert (
            f'plumbline_service_requests_total{{code="{code}",route="/predict"}} {count}.0' in lines
        )
    assert "plumbline_service_requests_in_flight 0.0" in lines
    assert "plumbline_service_requests_queued 0.0" in lines
    assert 'plumbline_build_info{component="service"' in text
    for name in ("spool_bytes", "spool_limit_bytes"):
        (line,) = [each for each in lines if each.startswith(f"plumbline_service_{name} ")]
        assert float(line.split()[1]) > 0


def test_a_generation_that_is_loaded_no_more_is_not_shown():
    """A promotion of the same version is another generation, not a second model."""
    metrics = Metrics()
    predictor = SimpleNamespace(manifest=SimpleNamespace(name="m"), version="v")
    for generation in (1, 2):
        serving = SimpleNamespace(predictor=predictor, generation=generation)
        metrics.models.show_serving([(serving, "champion")])
    shown = [line for line in metrics.expose()[0].decode().splitlines() if "model_info{" in line]

    assert len(shown) == 1
    assert 'generation="2"' in shown[0]


@pytest.mark.parametrize("accept", ["", "*/*", "text/html"])
def test_others_get_the_plain_format(accept):
    """Browsers and curl read the same text as ever."""
    assert Metrics().expose(accept)[1].startswith("text/plain")


def test_a_replica_has_as_many_series_as_the_sizing_says(settings):
    """Within a tenth, for a model of three choices; docs/kubernetes.md multiplies them."""

    async def scenario(client, worker):
        version = (await client.post("/predict", json=body(1))).json()["version"]
        return version, (await client.get("/metrics")).text

    version, text = ask(settings, scenario)
    series = [x for x in text.splitlines() if x and x[0] != "#" and "_created" not in x]
    of_version = [line for line in series if f'version="{version}"' in line]
    page = (ROOT / "docs" / "kubernetes.md").read_text()
    said = re.search(r"(\d+) per replica with one version, (\d+) of them the version's", page)

    assert said
    assert len(series) == pytest.approx(int(said[1]), rel=0.1)
    assert len(of_version) == pytest.approx(int(said[2]), rel=0.1)
    replicas = 233
    assert f"{round(int(said[1]) * replicas, -3):,} for {replicas} replicas" in page
