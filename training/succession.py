"""What a retrain takes over from the version it follows: configuration, source, symbols, interval.

A retrain that begins from a default may be one of another market, and would still pass its gate:
the gate judges a model on the bars it was made from.
"""

from __future__ import annotations

from datetime import UTC, datetime

from plumbline.bundle.archive import Bundle
from plumbline.bundle.errors import BundleError
from plumbline.bundle.manifest import Manifest
from plumbline.bundle.market import Market
from plumbline.store.registry import ModelRegistry
from plumbline.training.bars import MICROSECOND
from plumbline.training.config import Experiment
from plumbline.training.data import absolute
from plumbline.training.errors import ConfigError, SuccessionError
from plumbline.training.material import Material
from plumbline.training.onnx_model import OnnxModel


def champion_of(registry: ModelRegistry) -> tuple[Bundle, OnnxModel] | None:
    """Return the version that serves, and its graph; None where there is none that can be read."""
    head = registry.alias()
    if head is None:
        return None
    try:
        bundle = registry.open(head.value.version)
    except BundleError:
        return None
    manifest = bundle.manifest
    return bundle, OnnxModel(bundle.files["model.onnx"], manifest.inputs, manifest.outputs)


def follow(manifest: Manifest) -> Experiment:
    """Return the experiment a bundle came from, for the same symbols.

    Raises
    ------
    ConfigError
        If its manifest holds none that this version of the software can read.
    """
    try:
        experiment = Experiment.of_manifest(manifest.training)
    except ConfigError as error:
        raise ConfigError(
            f"{manifest.name} {manifest.version} holds no configuration to train it again with "
            f"({error}): give one with --config, or, for a trainer of your own, set "
            "[retrain] command"
        ) from error
    # "All symbols of the file" are those there were then.
    return located(experiment.changed(data={"symbols": manifest.data.symbols}))


def until_now(experiment: Experiment) -> Experiment:
    """Move the end of the bars to this moment, if they had an end."""
    if experiment.data.until is None:
        return experiment
    return experiment.changed(data={"until": datetime.now(UTC)})


def located(experiment: Experiment) -> Experiment:
    """Return the experiment with the absolute place of its bars: it outlives this folder."""
    source = absolute(experiment.data.source)
    if source == experiment.data.source:
        return experiment
    return experiment.changed(data={"source": source})


def market_of(experiment: Experiment, material: Material) -> Market:
    """Return what these bars are."""
    return Market(experiment.data.source, material.symbols, material.interval // MICROSECOND)


def refuse_another_market(kept: Market, found: Market) -> None:
    """Refuse to teach a successor on another market than its predecessor's.

    Raises
    ------
    SuccessionError
        Naming what differs.
    """
    if differences := kept.differences(found):
        raise SuccessionError(
            f"not a successor of that version: {'; '.join(differences)}. Give the same bars, or "
            "train it as another model, without --like"
        )
