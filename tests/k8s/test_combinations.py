"""What users put together of components, and the examples of docs/kubernetes.md, hold together."""

from __future__ import annotations

import os
import re
import shutil

import pytest
import yaml

from tests.support.declared import ROOT
from tests.support.manifests import MODEL, build, environment, of_kind, pods

K8S = ROOT / "k8s"
PAGE = (ROOT / "docs" / "kubernetes.md").read_text()
WORKLOADS = ("Deployment", "StatefulSet")

pytestmark = pytest.mark.tools


def write(folder, resources, components, **more):
    """Write a kustomization that takes these folders, and return its own."""
    folder.mkdir(parents=True, exist_ok=True)
    k8s = os.path.relpath(K8S, folder)
    made = {
        "apiVersion": "kustomize.config.k8s.io/v1beta1",
        "kind": "Kustomization",
        "resources": [name.replace("k8s:", f"{k8s}/") for name in resources],
        "components": [f"{k8s}/components/{name}" for name in components],
        **more,
    }
    (folder / "kustomization.yaml").write_text(yaml.safe_dump(made))
    return str(folder)


def two_models(folder, of_each, of_all):
    """Write two models in one namespace, with components of each and of all."""
    for model in ("euro", "gold"):
        label = {"pairs": {MODEL: model}, "includeSelectors": True}
        write(folder / model, ["k8s:base"], of_each, nameSuffix=f"-{model}", labels=[label])
    return write(folder, ["euro", "gold"], of_all, namespace="models")


def check(overlay):
    """Every name that one object has of another is that of one that is there."""
    workloads = of_kind(overlay, *WORKLOADS)
    scaled = of_kind(overlay, "HorizontalPodAutoscaler")
    for scaler in scaled.values():
        target = scaler["spec"]["scaleTargetRef"]
        assert workloads[target["name"]]["kind"] == target["kind"]
        assert "replicas" not in workloads[target["name"]]["spec"]
    for workload in workloads.values():
        if workload["kind"] == "StatefulSet":
            assert workload["spec"]["serviceName"] in of_kind(overlay, "Service")
    for pod in pods(overlay):
        store = dict(environment(overlay, pod))["PLUMBLINE_STORE"] or ""
        mounted = {mount["mountPath"] for mount in pod.container["volumeMounts"]}
        assert "/store" in mounted or not store.startswith("file:")
    return scaled


@pytest.mark.parametrize(
    ("of_each", "of_all", "scalers"),
    [
        (["small", "autoscale"], ["volume", "notifications"], 2),
        (["spool-on-claims", "disruptions", "autoscale"], ["volume"], 2),
        (["spool-on-claims", "network-policies"], ["volume", "small"], 0),
    ],
)
def test_two_models_take_what_one_takes(tmp_path, of_each, of_all, scalers):
    """A suffix finds every name, and what comes later finds what came before."""
    assert len(check(two_models(tmp_path, of_each, of_all))) == scalers


@pytest.mark.parametrize(("of_each", "of_all"), [(["autoscale"], ["small"]), ([], ["autoscale"])])
def test_what_would_be_undone_is_refused(tmp_path, of_each, of_all):
    """An apply that sets replicas back, and one autoscaler for two services: no silence."""
    with pytest.raises(AssertionError, match=r"replicas|multiple matches"):
        build(two_models(tmp_path, of_each, ["volume", *of_all]))


def examples():
    """Return the kustomizations of the page, by a word that each alone has."""
    blocks = re.findall(r"```yaml\n(.*?)```", PAGE, re.S)
    return {
        word: next(block for block in blocks if word in block)
        for word in ("gold-15m", "-gold", "my-bundle", "monitor.trading.svc")
    }


@pytest.mark.parametrize("below", ["prod", "gpu"])
def test_an_overlay_of_ones_own_names_every_image(tmp_path, below):
    """As the page has it: no pod takes an image of the example's registry."""
    k8s = os.path.relpath(K8S, tmp_path)
    text = examples()["gold-15m"].replace("../prod", f"{k8s}/overlays/{below}")
    (tmp_path / "kustomization.yaml").write_text(text)
    (tmp_path / "train.toml").write_text("")
    made = pods(str(tmp_path))

    assert {pod.container["image"].split("/")[0] for pod in made} == {"my.registry"}
    assert {pod.labels[MODEL] for pod in made} == {"gold-15m"}
    check(str(tmp_path))


def test_a_third_model_is_the_short_file_of_the_page(tmp_path):
    """With its line in the list, and nothing else; and it may take an autoscaler."""
    example = tmp_path / "k8s"
    shutil.copytree(K8S, example)
    folder = example / "overlays" / "two-models"
    (folder / "gold").mkdir()
    scaled = examples()["-gold"].replace(
        "/alertmanager]", "/alertmanager, ../../../components/autoscale]"
    )
    (folder / "gold" / "kustomization.yaml").write_text(scaled)
    listed = folder / "kustomization.yaml"
    listed.write_text(listed.read_text().replace("  - dollar\n", "  - dollar\n  - gold\n"))
    models = {pod.labels[MODEL]: pod for pod in pods(str(folder))}

    assert set(models) == {"euro", "dollar", "gold"}
    assert list(check(str(folder))) == ["plumbline-service-gold"]
    for key in ("resources", "image"):
        assert models["gold"].container[key] == models["euro"].container[key]


def test_the_other_examples_build(tmp_path):
    """A packed model in the training's place, and a monitor in another namespace."""
    bundle = write(
        tmp_path / "bundle", ["k8s:overlays/dev"], [], **yaml.safe_load(examples()["my-bundle"])
    )
    trading = yaml.safe_load(examples()["monitor.trading.svc"])
    other = write(tmp_path / "trading", ["k8s:overlays/prod"], [], namespace="trading", **trading)
    (job,) = of_kind(bundle, "Job").values()
    routes = of_kind(other, "AlertmanagerConfig")["plumbline-monitor"]["spec"]["receivers"]

    assert job["spec"]["template"]["spec"]["containers"][0]["args"][:2] == ["models", "import"]
    assert routes[0]["webhookConfigs"][0]["url"].startswith("http://plumbline-monitor.trading.svc")
