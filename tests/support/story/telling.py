"""The story as service and monitor would have exposed it."""

from __future__ import annotations

import numpy as np

from plumbline.bundle.figure_window import fitting_seconds
from plumbline.bundle.finding import Verdict
from tests.support.story import script
from tests.support.story.samples import NAMESPACE, Samples
from tests.support.story.script import (
    BTCUSD,
    EURUSD,
    GOLD,
    MODELS,
    MONITORS,
    NEW,
    OLD,
    START,
    TICK,
    TICKS,
    Model,
    answers,
    serves,
)

CONFIDENCE = (0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 0.98, 0.99, 0.995, 0.999)
SECONDS = (0.0005, 0.001, 0.002, 0.003, 0.005, 0.0075, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5)
LONG = (1, 5, 15, 30, 60, 120, 300, 600, 1800, 3600, 7200, 21600, 86400)
SHARES = {"SELL": 0.27, "HOLD": 0.46, "BUY": 0.27}
PROBABILITIES = {"SELL": 0.31, "HOLD": 0.38, "BUY": 0.31}
BANDS = {"low": -0.04, "middle": 0.0, "high": 0.04}
DETECTORS = {"spread": 8.0, "gain": 9.0, "action_share": 7.5, "frozen": 7.0}


def tell() -> Samples:
    """Return everything that Prometheus scraped."""
    samples = Samples()
    for model in MODELS:
        for instance in model.instances:
            _expose_replica(samples, model, instance)
        _expose_monitor(samples, model)
    return samples


def _at(job: str, instance: str, model: Model, labels: dict[str, str]) -> dict[str, str]:
    target = {"namespace": NAMESPACE, "job": job, "service": f"{job}-{model.name}"}
    return {**target, "instance": instance, **labels}


def _expose_replica(samples: Samples, model: Model, instance: str) -> None:
    def at(**labels: str) -> dict[str, str]:
        return _at("plumbline-service", instance, model, labels)

    _expose_process(samples, at(), "service", memory=3.1e8)
    samples.gauge("up", at(), 1)
    for generation, version in enumerate(model.versions, start=1):
        serving = serves(model, version)
        exposed = np.full(len(TICKS), True)
        if model is EURUSD:
            old = TICKS <= script.PROMOTION + 3600
            exposed = old if version == OLD else TICKS >= script.PROMOTION
        of = at(model=model.name, version=version)
        _count_answers(samples, model, instance, of, serving=serving, exposed=exposed)
        samples.gauge(
            "plumbline_service_model_info",
            {**of, "generation": str(generation), "role": "champion"},
            1,
            serving,
        )
        newest = START + TICKS - TICKS % model.interval - model.interval
        samples.gauge("plumbline_service_newest_bar_timestamp_seconds", of, newest, serving)
        samples.gauge(
            "plumbline_service_newest_prediction_timestamp_seconds", of, START + TICKS, serving
        )
        samples.gauge("plumbline_service_bar_interval_seconds", of, model.interval, exposed)
        back = fitting_seconds(np.zeros(1, np.int64), model.interval)
        samples.gauge("plumbline_service_window_seconds", of, back, exposed)
    _count_requests(samples, model, at)
    _count_log(samples, model, at)
    swapped = TICKS == script.PROMOTION + TICK
    samples.counter(
        "plumbline_service_swaps_total",
        at(model=model.name, result="accepted"),
        swapped if model is EURUSD else 0,
    )
    withheld = _withheld(model) * model.per_tick
    samples.counter("plumbline_service_sizes_withheld_total", at(model=model.name), withheld)


def _withheld(model: Model) -> np.ndarray:
    if model is GOLD:
        return np.zeros(len(TICKS))
    if model is BTCUSD:
        return np.where(TICKS > script.FROZEN_ALARM, 1.0, 0.0)
    return np.where((TICKS > script.ALARM) & (TICKS <= script.PROMOTION), 1.0, 0.0)


def _expose_process(samples: Samples, at: dict[str, str], component: str, *, memory: float) -> None:
    build = {**at, "component": component, "version": "0.3.0", "revision": "4f1c2ab"}
    samples.gauge("plumbline_build_info", {**build, "python": "3.11"}, 1)
    samples.counter("process_cpu_seconds_total", at, 0.2 * TICK)
    samples.gauge("process_resident_memory_bytes", at, memory)
    samples.gauge("process_open_fds", at, 42)


def _count_answers(
    samples: Samples,
    model: Model,
    instance: str,
    of: dict[str, str],
    *,
    serving: np.ndarray,
    exposed: np.ndarray,
) -> None:
    said = answers(model, instance)
    per_tick = said.probabilities.shape[1]
    one = serving.astype(float)
    name = "plumbline_service_"
    samples.counter(f"{name}predictions_total", of, per_tick * one, exposed)
    repeated = (TICKS > script.FREEZE) if model is BTCUSD else np.full(len(TICKS), False)
    samples.counter(f"{name}repeated_inputs_total", of, per_tick * repeated, exposed)
    samples.counter(f"{name}zero_columns_total", of, 0.25 * per_tick * one, exposed)
    out = {**of, "output": model.output}
    for place, coordinate in enumerate(model.coordinates):
        u = said.coordinates[:, :, place]
        each = {**out, "coordinate": coordinate}
        for metric, grown in (
            ("output_positive_total", u.clip(min=0).sum(axis=1)),
            ("output_negative_total", -u.clip(max=0).sum(axis=1)),
            ("output_square_total", (u**2).sum(axis=1)),
        ):
            samples.counter(name + metric, each, grown * one, exposed)
        samples.gauge(f"{name}reference_output_std_ratio", each, script.reference_std(), exposed)
        for band, value in (("low", 0.8), ("middle", 1.0), ("high", 1.25)):
            samples.gauge(f"{name}reference_spread_ratio", {**each, "band": band}, value, exposed)
    if not model.choices:
        return
    samples.counter(f"{name}entropy_nats_total", out, said.entropy.sum(axis=1) * one, exposed)
    for place, choice in enumerate(model.choices):
        grown = (said.actions == place).sum(axis=1) * one
        samples.counter(f"{name}decisions_total", {**of, "action": choice}, grown, exposed)
        grown = said.probabilities[:, :, place].sum(axis=1) * one
        samples.counter(f"{name}probability_total", {**out, "choice": choice}, grown, exposed)
        for band, beside in BANDS.items():
            samples.gauge(
                f"{name}reference_action_share_ratio",
                {**of, "action": choice, "band": band},
                SHARES[choice] + beside,
                exposed,
            )
            samples.gauge(
                f"{name}reference_probability_ratio",
                {**out, "choice": choice, "band": band},
                PROBABILITIES[choice] + beside / 2,
                exposed,
            )
    top = [
        row if on else [] for row, on in zip(said.probabilities.max(axis=2), serving, strict=True)
    ]
    samples.histogram(f"{name}confidence_ratio", out, CONFIDENCE, top)


def _count_requests(samples: Samples, model: Model, at) -> None:
    took = {"/predict": 0.004, "/outcomes": 0.0015, "/healthz": 0.0004}
    for route, seconds in took.items():
        per_tick = {"/predict": model.per_tick, "/outcomes": model.per_tick // 2, "/healthz": 6}
        spread = np.linspace(0.5, 2.0, per_tick[route]) * seconds
        samples.histogram(
            "plumbline_service_request_seconds", at(route=route), SECONDS, [spread] * len(TICKS)
        )
        samples.counter(
            "plumbline_service_requests_total", at(route=route, code="200"), per_tick[route]
        )
    trouble = TICKS == script.TROUBLE
    samples.counter("plumbline_service_requests_total", at(route="/predict", code="422"), 0.1)
    samples.counter(
        "plumbline_service_requests_total",
        at(route="/predict", code="503"),
        trouble if model is EURUSD else 0,
    )
    samples.counter("plumbline_service_refused_total", at(reason="non_finite"), 0.1)
    samples.gauge("plumbline_service_requests_in_flight", at(), 2)
    samples.gauge("plumbline_service_requests_queued", at(), 0)
    samples.gauge("plumbline_service_connections_waiting", at(), 1)
    samples.counter("plumbline_service_worker_restarts_total", at(), trouble)


def _count_log(samples: Samples, model: Model, at) -> None:
    for table, per_tick in (("predictions", model.per_tick), ("outcomes", model.per_tick / 2)):
        samples.counter("plumbline_service_spooled_rows_total", at(table=table), per_tick)
        samples.counter("plumbline_service_shipped_rows_total", at(table=table), per_tick)
    lost = {"queue_full": 2 * (TICKS == script.TROUBLE), "spool_full": 0, "spool_failed": 0}
    for reason, rows in lost.items():
        samples.counter("plumbline_service_dropped_rows_total", at(reason=reason), rows)
    samples.gauge("plumbline_service_spool_pending_rows", at(), 2 * model.per_tick)
    samples.gauge("plumbline_service_spool_bytes", at(), 3e7)
    samples.gauge("plumbline_service_spool_limit_bytes", at(), 1e9)
    _ask_store(samples, at, "service", "put", 0.02)


def _ask_store(samples: Samples, at, component: str, operation: str, seconds: float) -> None:
    labels = at(component=component, operation=operation)
    samples.histogram(
        "plumbline_store_operation_seconds", labels, SECONDS, [[seconds] * 4] * len(TICKS)
    )
    failed = 5 * (TICKS == script.TROUBLE)
    samples.counter("plumbline_store_errors_total", labels, failed)


def _expose_monitor(samples: Samples, model: Model) -> None:
    instance = MONITORS[model]

    def at(**labels: str) -> dict[str, str]:
        return _at("plumbline-monitor", instance, model, labels)

    name, of = "plumbline_monitoring_", at(model=model.name)
    samples.gauge("up", at(), 1)
    _expose_process(samples, at(), "monitor", memory=4.4e8)
    _ask_store(samples, at, "monitor", "list", 0.04)
    samples.gauge(f"{name}leader", of, 1)
    samples.gauge(f"{name}last_success_timestamp_seconds", of, START + TICKS - 1)
    samples.gauge(f"{name}lag_seconds", of, 4)
    samples.counter(f"{name}rows_total", of, model.per_tick * len(model.instances))
    samples.counter(f"{name}errors_total", of, TICKS == script.TROUBLE)
    samples.counter(f"{name}canaries_total", {**of, "result": "passed"}, 6)
    samples.counter(f"{name}reports_total", {**of, "result": "written"}, TICKS % 3600 == 0)
    samples.counter(f"{name}recomputations_total", {**of, "result": "equal"}, TICKS % 3600 == 0)
    for version in model.versions:
        _judge(samples, model, version, {**of, "version": version})
    _repair(samples, model, of)


def _judge(samples: Samples, model: Model, version: str, of: dict[str, str]) -> None:
    name, words = "plumbline_monitoring_", script.verdicts(model, version)
    judged = np.array([word is not None for word in words])
    for verdict in Verdict:
        holds = np.array([word == verdict.value for word in words], dtype=float)
        samples.gauge(f"{name}verdict", {**of, "verdict": verdict.value}, holds, judged)
    for detector, threshold in DETECTORS.items():
        each = {**of, "detector": detector, "output": "" if detector == "frozen" else model.output}
        samples.gauge(f"{name}evidence_nats", each, evidence_of(model, version, detector), judged)
        samples.gauge(f"{name}threshold_nats", each, threshold, judged)
    samples.gauge(f"{name}input_columns", of, 24, judged)
    samples.gauge(f"{name}drifted_columns", of, 3, judged)
    for check in ("answers", "windows"):
        samples.counter(
            f"{name}audited_rows_total", {**of, "check": check}, model.per_tick / 4, judged
        )
        for side in ("model", "client"):
            wrong = (TICKS == script.TROUBLE) if (check, side) == ("windows", "client") else 0
            labels = {**of, "check": check, "side": side}
            samples.counter(f"{name}audit_mismatches_total", labels, wrong, judged)
    skill = {**of, "output": model.output, "figure": "gain_constant"}
    for end, value in (("low", 0.004), ("value", 0.021), ("high", 0.038)):
        samples.gauge(f"{name}skill_value", {**skill, "end": end}, value, judged)
    for verdict in ("no_signal", "anti_signal", "miscalibrated"):
        each = {**of, "output": model.output, "verdict": verdict}
        samples.gauge(f"{name}skill_evidence_nats", each, 0.8, judged)
        samples.gauge(f"{name}skill_threshold_nats", each, 8.0, judged)
    joined = np.cumsum(np.full(len(TICKS), model.per_tick / 2))
    samples.gauge(f"{name}skill_outcomes", {**of, "result": "joined"}, joined, judged)
    samples.gauge(f"{name}skill_outcomes", {**of, "result": "repeated"}, 12, judged)


def evidence_of(model: Model, version: str, detector: str) -> np.ndarray:
    """What a detector has gathered: noise, or three nats a minute where it accuses."""
    quiet = 0.6 + 0.4 * np.sin(TICKS / 900 + len(detector))
    begun = None
    if model is EURUSD and version == OLD and detector in ("spread", "gain", "action_share"):
        begun = script.COLLAPSE
    if model is BTCUSD and detector == "frozen":
        begun = script.FREEZE
    if begun is None:
        return quiet
    return quiet + 3.0 * np.clip((TICKS - begun) / 60, 0, 12)


def _repair(samples: Samples, model: Model, of: dict[str, str]) -> None:
    name = "plumbline_monitoring_"
    ours = model is EURUSD
    status = [script.incident_status(float(at)) if ours else None for at in TICKS]
    frozen = (TICKS >= script.FROZEN_ALARM) if model is BTCUSD else np.full(len(TICKS), False)
    for each in ("open", "retraining", "shadowing", "watching"):
        holds = np.array([one == each for one in status])
        if holds.any():
            labels = {**of, "version": OLD, "verdict": "flat", "status": each}
            samples.gauge(f"{name}open_incident", labels, 1, holds)
    if model is BTCUSD:
        labels = {**of, "version": OLD, "verdict": "frozen_feed", "status": "called"}
        samples.gauge(f"{name}open_incident", labels, 1, frozen)
    opened = np.array([one is not None for one in status]) | frozen
    began = START + (script.ALARM if ours else script.FROZEN_ALARM)
    samples.gauge(f"{name}incident_start_timestamp_seconds", of, began, opened)
    attempts = np.select([TICKS >= script.SECOND, TICKS >= script.RETRAIN], [2.0, 1.0], 0.0)
    attempts = attempts if ours else np.zeros(len(TICKS))
    samples.gauge(f"{name}incident_attempts", of, attempts, opened)
    left = np.where(opened, script.ATTEMPT_LIMIT - attempts, script.ATTEMPT_LIMIT)
    samples.gauge(f"{name}attempts_left", of, left)
    for verdict, when in (
        ("flat", script.ALARM if ours else None),
        ("frozen_feed", script.FROZEN_ALARM if model is BTCUSD else None),
    ):
        if when is not None:
            labels = {**of, "verdict": verdict}
            samples.counter(f"{name}incidents_total", labels, when == TICKS, when <= TICKS)
    for result, at in (("refused", script.SECOND), ("promoted", script.PROMOTION)):
        grown = at == TICKS
        if ours:
            samples.counter(f"{name}retrains_total", {**of, "result": result}, grown, at <= TICKS)
    samples.counter(
        f"{name}recalibrations_total", {**of, "result": "promoted"}, TICKS == script.TROUBLE
    )
    called = np.concatenate([[False], frozen[1:] & ~frozen[:-1]])
    if model is BTCUSD:
        samples.counter(f"{name}calls_total", {**of, "reason": "frozen_feed"}, called, frozen)
        awaited = {**of, "version": OLD, "reason": "frozen_feed"}
        samples.gauge(f"{name}person_awaited", awaited, 1, frozen)
    _work(samples, of, ours=ours)


def _work(samples: Samples, of: dict[str, str], *, ours: bool) -> None:
    name = "plumbline_monitoring_"
    promoted = TICKS == script.PROMOTION
    training = (TICKS >= script.RETRAIN) & (TICKS < script.SHADOW) & (TICKS != script.SECOND)
    samples.gauge(f"{name}job_running", {**of, "kind": "retrain"}, training if ours else 0)
    ended = {script.SECOND: "refused", script.SHADOW: "finished"}
    for at, result in ended.items():
        took = [[360.0] if ours and each == at else [] for each in TICKS]
        samples.histogram(
            f"{name}job_seconds", {**of, "kind": "retrain", "result": result}, LONG, took
        )
    lasted = [
        [float(script.RECOVERY - script.ALARM)] if ours and each == script.RECOVERY else []
        for each in TICKS
    ]
    labels = {**of, "verdict": "flat", "result": "resolved"}
    samples.histogram(f"{name}incident_seconds", labels, LONG, lasted)
    samples.counter(f"{name}shadows_total", {**of, "result": "promoted"}, promoted if ours else 0)
    heard = (TICKS == script.ALARM + TICK) if ours else 0
    labels = {key: value for key, value in of.items() if key != "model"}
    samples.counter(f"{name}webhooks_total", {**labels, "result": "accepted"}, heard)
    if not ours:
        return
    shadowing = (TICKS >= script.SHADOW) & (TICKS < script.PROMOTION)
    rows = np.clip((TICKS - script.SHADOW) / TICK, 0, None) * 40
    challenger = {**of, "version": NEW}
    samples.gauge(f"{name}shadow_rows", challenger, rows, shadowing)
    samples.gauge(f"{name}shadow_agreement_ratio", challenger, 0.41, shadowing)
