"""MLflow, for those who keep their experiments there: a run's record, logged once it has ended.

The record in the store stays the original; what MLflow gets is a copy in its own terms.
"""

from __future__ import annotations

from importlib.util import find_spec
from typing import TYPE_CHECKING

from plumbline.store.run import RunEnd, RunRecord
from plumbline.training.errors import TrainingError
from plumbline.training.report.page import flat

if TYPE_CHECKING:
    from mlflow import MlflowClient

_STATUS = {RunEnd.INTERRUPTED: "KILLED", RunEnd.FAILED: "FAILED"}
_LONGEST_PARAM = 500


def require_mlflow() -> None:
    """Say what to install, before a training rather than after it.

    Raises
    ------
    TrainingError
        If MLflow is not there.
    """
    if find_spec("mlflow") is None:
        raise TrainingError("MLflow is not installed: pip install 'plumbline[mlflow]'")


def log_run(record: RunRecord, report: str, uri: str) -> str:
    """Log a run to MLflow: parameters, curves, metrics, the record and the page.

    Parameters
    ----------
    record, report
        The run and its page.
    uri
        Of the tracking server, as MLflow takes it. The experiment there has the model's name.

    Returns
    -------
    str
        MLflow's identifier of the run.

    Raises
    ------
    TrainingError
        If MLflow is not installed or did not take it.
    """
    require_mlflow()
    from mlflow import MlflowClient  # noqa: PLC0415 - takes seconds, and few have it
    from mlflow.exceptions import MlflowException  # noqa: PLC0415

    try:
        return _log(MlflowClient(uri), record, report)
    except (MlflowException, OSError) as error:
        reason = str(error).splitlines()[0]
        raise TrainingError(f"MLflow at {uri} did not take the run: {reason}") from error


def _log(client: MlflowClient, record: RunRecord, report: str) -> str:
    known = client.get_experiment_by_name(record.model)
    experiment = known.experiment_id if known else client.create_experiment(record.model)
    tags = {
        "plumbline.run": record.id,
        "plumbline.end": record.end.value,
        "plumbline.version": record.version or "",
        "plumbline.verdict": record.verdict.value if record.verdict else "",
    }
    began = int(record.began.timestamp() * 1000)
    made = client.create_run(experiment, start_time=began, tags=tags, run_name=record.id)
    run: str = made.info.run_id
    for name, value in flat(record.experiment).items():
        client.log_param(run, name, value[:_LONGEST_PARAM])
    for epoch in record.epochs:
        client.log_metric(run, "train_loss", epoch.train, step=epoch.number)
        client.log_metric(run, "calibration_loss", epoch.calibration, step=epoch.number)
    for name, number in record.metrics.items():
        client.log_metric(run, name, number)
    for stage in record.stages:
        client.log_metric(run, f"seconds_{stage.name.replace(' ', '_')}", stage.seconds)
    client.log_text(run, record.to_json().decode(), "record.json")
    client.log_text(run, report, "report.html")
    ended = int(record.ended.timestamp() * 1000)
    client.set_terminated(run, _STATUS.get(record.end, "FINISHED"), ended)
    return run
