"""Settings of the monitor: a TOML file first, then the environment, then the command line."""

from __future__ import annotations

from pathlib import Path
from typing import Any, ClassVar, Literal

from pydantic import Field, SecretStr
from pydantic_settings import SettingsConfigDict
from typing_extensions import override

from plumbline.bundle.errors import PluginError
from plumbline.bundle.plugin_module import name_modules
from plumbline.bundle.record import Record
from plumbline.monitoring.errors import SettingsError
from plumbline.monitoring.notification.address import checked
from plumbline.monitoring.notification.occasion import CHOICES, Occasion
from plumbline.rules.rule import RUNBOOKS
from plumbline.store.settings import Settings

PREFIX = "PLUMBLINE_MONITORING_"
NotifyFormat = Literal["slack", "json"]
SHADOW_ROWS = 200
"""As many again as make a stream `healthy`."""

_ANY_ADDRESS = ("0.0.0.0", "::", "")  # noqa: S104 - those that are nobody's address


def _default_store() -> str:
    return (Path.cwd() / ".state" / "store").as_uri()


class RetrainSettings(Record):
    """The table ``[retrain]``: a trainer that is not ours."""

    command: tuple[str, ...] = Field(
        (),
        description="Your own trainer and its arguments, instead of `plumbline train` and "
        "`plumbline calibrate`; docs/retrain-command.md has the contract.",
    )


class RaySettings(Record):
    """The table ``[ray]``: where and how the launcher ``ray`` submits jobs."""

    address: str = Field(
        "http://127.0.0.1:8265",
        description="Of the job server, which is the dashboard of Ray's head.",
    )
    command: tuple[str, ...] = Field(
        ("plumbline",),
        min_length=1,
        description="What runs `plumbline` on the cluster; in front of the arguments of a job.",
    )
    num_cpus: float | None = Field(
        None,
        ge=0,
        description="CPUs that Ray sets aside for a job, by default `job_threads`; where nothing "
        "is set aside, it runs on the head.",
    )
    num_gpus: float = Field(0.0, ge=0, description="GPUs that Ray sets aside for a job.")
    memory_bytes: int = Field(0, ge=0, description="Memory that Ray sets aside for a job.")
    resources: dict[str, float] = Field(
        {}, description="Resources of your own names that Ray sets aside for a job."
    )
    runtime_env: dict[str, Any] = Field(
        {}, description="Ray's `runtime_env` of a job: `env_vars`, `image_uri`, `pip`, …"
    )
    headers: dict[str, SecretStr] = Field(
        {}, description="Headers of every request, for a proxy in front of the job server."
    )


class MonitoringSettings(Settings):
    """Everything the monitor can be told; build it with `load`."""

    model_config = SettingsConfigDict(env_prefix=PREFIX)

    owner: ClassVar[str] = "the monitor"
    error: ClassVar[type[Exception]] = SettingsError

    store: str = Field(
        default_factory=_default_store,
        description="URL of the store: file://, s3://, gs:// or az://; by default ./.state/store.",
    )
    model: str = Field("eurusd-1h", description="Name of the model to watch.")
    service_url: str = Field(
        "http://127.0.0.1:3000", description="Where the canary asks; empty switches the canary off."
    )
    host: str = Field("127.0.0.1", description="Address the status page listens on.")
    port: int = Field(3001, ge=0, le=65535, description="Port of the status page.")
    state: Path = Field(
        Path(".state/monitor"), description="Folder of the logs and results of launched jobs."
    )
    poll_seconds: float = Field(0.5, gt=0, description="Pause between two looks at the log.")
    resume_rows: int = Field(
        20_000, ge=0, description="Rows of the present version read again after a restart, at most."
    )
    lease_seconds: float = Field(
        15.0,
        ge=1,
        description="How long a silent leader keeps the others standing by; a job that gives no "
        "sign, on whatever machine, is waited for twice as long.",
    )

    triggers: tuple[str, ...] = Field(
        ("verdict", "webhook", "schedule", "person"),
        description="Who may ask for a retrain; `drift` and `outcome` do when they are named.",
    )
    cooldown_seconds: float = Field(
        0.0, ge=0, description="Between the last retrain and the next incident that may start one."
    )
    schedule_predictions: int = Field(
        0, ge=0, description="Retrain after so many predictions of one version; 0 is never."
    )
    schedule_bars: int = Field(
        0,
        ge=0,
        description="Retrain after so many bars of one version, however many symbols; 0 is never.",
    )
    retrains_per_day: int = Field(
        8,
        ge=0,
        description="Retrains in any 24 hours that nobody ordered, then a person is called; "
        "0 is no limit.",
    )
    request_patience_seconds: float = Field(
        900.0, gt=0, description="How long a webhook or a person's wish waits for its moment."
    )

    launcher: str = Field(
        "subprocess",
        description="What runs a retrain: `subprocess`, `kubernetes`, `ray` or a plug-in.",
    )
    job_template: str = Field(
        "cronjob/plumbline-retrain",
        description="What the launcher `kubernetes` makes Jobs of: `cronjob/NAME`, in the "
        "namespace of the monitor's pod or of KUBECONFIG.",
    )
    ray: RaySettings = Field(
        RaySettings(), description="A table; in the environment a JSON object."
    )
    ray_token: SecretStr | None = Field(
        None, description="Bearer token of Ray's job server, if it asks for one."
    )
    train_config: str | None = Field(
        None,
        description="Configuration of retrains, a name or a file, read at each attempt; by default "
        "that of the version that serves. Its source, symbols and interval must be that version's.",
    )
    retrain: RetrainSettings = Field(
        RetrainSettings(), description="A table; in the environment a JSON object."
    )
    attempt_limit: int = Field(
        2, ge=1, description="Retrains for one incident, then a person is called."
    )
    recalibration_limit: int = Field(
        1, ge=1, description="Refits for one incident, then a person is called."
    )
    job_timeout_seconds: float = Field(
        900.0, gt=0, description="A job that takes longer is killed and counts as failed."
    )
    job_threads: int = Field(2, ge=1, description="Threads a job may use for arithmetic.")
    recovery_rows: int = Field(
        50, ge=1, description="Rows a new version must have been watched before all is well."
    )
    live_rows: int = Field(
        2_000, ge=0, description="Newest predictions whose sampled windows a candidate must face."
    )

    shadow_rows: int = Field(
        SHADOW_ROWS,
        ge=0,
        description="Requests a candidate must have answered in shadow, unseen by clients, before "
        "it is promoted; 0 skips the shadow, unless candidate and champion part for no reason.",
    )
    shadow_seconds: float = Field(
        900.0,
        gt=0,
        description="How long the shadow lasts at most: then the candidate is promoted on what "
        "there is, if nothing speaks against it.",
    )

    version_retention_seconds: float = Field(
        3600.0,
        ge=0,
        description="How long the counters of a version are shown after it has stopped serving.",
    )

    notify_url: SecretStr | None = Field(
        None, description="Where messages to people are posted; without one, none are."
    )
    notify_url_file: Path | None = Field(
        None, description="A file that holds it instead, read at each message: it is a secret."
    )
    notify_token_file: Path | None = Field(
        None, description="A file with the bearer token to send with messages, if one is asked for."
    )
    notify_format: NotifyFormat = Field(
        "slack",
        description="`slack` is a text as Slack, Mattermost and Rocket.Chat take it, `json` an "
        "event for programs; docs/notifications.md has both.",
    )
    notify_on: tuple[Occasion, ...] = Field(
        (Occasion.CALLED, Occasion.OPENED, Occasion.ENDED),
        description="What people are told: a person is `called`, an incident `opened` or `ended`, "
        "a `retrain` launched, a version `promoted`, a candidate `refused`.",
    )
    page_url: str = Field(
        "",
        description="Address under which people reach the status page, for links; by default host "
        "and port, where they are an address.",
    )
    runbooks: str = Field(RUNBOOKS, description="Folder of the runbooks, for links.")

    canary_seconds: float = Field(10.0, gt=0, description="Between two canaries.")
    canary_tolerance: float = Field(
        1e-3, gt=0, description="Largest difference of a golden probability; logits differ by 1e-4."
    )
    report_seconds: float = Field(3600.0, gt=0, description="Between two scheduled drift reports.")
    report_rest_seconds: float = Field(
        60.0,
        ge=0,
        description="Between two drift reports, however often the verdict changes: each costs "
        "seconds of a core.",
    )
    report_rows: int = Field(
        5_000, ge=100, le=50_000, description="Newest predictions a drift report looks at."
    )
    bars: str | None = Field(
        None,
        description="File of bars, a path or URL, or a data set by name, of which logged inputs "
        "are computed again; by default what the version that serves was trained on. Empty: never.",
    )
    recompute_seconds: float = Field(
        3600.0, gt=0, description="Between two scheduled recomputations of logged inputs."
    )

    plugins: tuple[str, ...] = Field(
        (), description="Plug-in modules to use: files or dotted names."
    )

    token: SecretStr | None = Field(
        None,
        description="Bearer token of a person who asks for a retrain; without one, nobody can.",
    )
    alert_token: SecretStr | None = Field(
        None, description="Bearer token Alertmanager must send; without one, any sender is heard."
    )

    @property
    def page(self) -> str:
        """Where people reach the status page; empty where that is not known."""
        if not self.page_url and self.host in _ANY_ADDRESS:
            return ""
        return (self.page_url or f"http://{self.host}:{self.port}").rstrip("/")

    @override
    def use(self) -> None:
        """Name the plug-in modules to this process and its jobs."""
        if self.notify_url is not None and self.notify_url_file is not None:
            raise SettingsError("notify_url and notify_url_file: expected one of them, got both")
        if Occasion.TEST in self.notify_on:
            raise SettingsError(f"notify_on: expected some of {', '.join(CHOICES)}, got test")
        given = {"page_url": self.page_url, "runbooks": self.runbooks}
        if self.notify_url is not None:
            given["notify_url"] = self.notify_url.get_secret_value()
        for name, url in given.items():
            if url or name == "notify_url":
                checked(url, name)
        try:
            name_modules(self.plugins)
        except PluginError as error:
            raise SettingsError(str(error)) from error
