"""What the reference of a loaded version looks like; it does not change."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from prometheus_client import CollectorRegistry

from plumbline.bundle.spec import OutputSpec
from plumbline.service.band import BANDS
from plumbline.service.metric_group import MetricGroup

if TYPE_CHECKING:
    from plumbline.service.predictor import Predictor


class ReferenceMetrics(MetricGroup):
    """The bands of each version, and its bar interval."""

    def __init__(self, registry: CollectorRegistry) -> None:
        super().__init__(registry)
        version = ["model", "version"]
        coordinate = [*version, "output", "coordinate"]
        stretches = "in stretches of the reference as long as the rules' window"
        self._interval = self._gauge(
            "plumbline_service_bar_interval_seconds", "From one bar to the next.", version
        )
        self._window = self._gauge(
            "plumbline_service_window_seconds",
            "How far back the rules look, for sixty bars of this market.",
            version,
        )
        self._reference_std = self._gauge(
            "plumbline_service_reference_output_std_ratio",
            "Standard deviation of each coordinate of an output in the reference.",
            coordinate,
        )
        self._reference_share = self._gauge(
            "plumbline_service_reference_action_share_ratio",
            f"Share of each action {stretches}.",
            [*version, "action", "band"],
        )
        self._reference_probability = self._gauge(
            "plumbline_service_reference_probability_ratio",
            f"Mean probability of each choice {stretches}.",
            [*version, "output", "choice", "band"],
        )
        self._reference_spread = self._gauge(
            "plumbline_service_reference_spread_ratio",
            f"Standard deviation of each coordinate {stretches}, over that of all of it.",
            [*coordinate, "band"],
        )

    def show(self, predictor: Predictor) -> None:
        """Set what a version's manifest and bands say."""
        names = predictor.manifest.name, predictor.version
        self._interval.labels(*names).set(predictor.manifest.bar_interval_seconds)
        self._window.labels(*names).set(predictor.bands.window_seconds)
        for band, shares in zip(BANDS, predictor.bands.actions.tolist(), strict=True):
            for action, share in zip(predictor.manifest.actions, shares, strict=True):
                self._reference_share.labels(*names, action, band).set(share)

    def show_output(
        self,
        labels: tuple[str, str, str],
        spec: OutputSpec,
        coordinates: Sequence[str],
        predictor: Predictor,
    ) -> None:
        """Set what the reference of one output says."""
        for coordinate, std in zip(coordinates, predictor.scales[spec.name].std, strict=True):
            self._reference_std.labels(*labels, coordinate).set(std)
        shown = [(self._reference_spread, coordinates, predictor.bands.spreads[spec.name])]
        if spec.choices:
            chosen = predictor.bands.probabilities[spec.name]
            shown.append((self._reference_probability, spec.choices, chosen))
        for gauge, names, bands in shown:
            for band, values in zip(BANDS, bands.tolist(), strict=True):
                for name, value in zip(names, values, strict=True):
                    gauge.labels(*labels, name, band).set(value)
