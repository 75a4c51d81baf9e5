"""Settings of the service: a TOML file first, the environment over it.

``PLUMBLINE_SERVICE_FILE`` names the file; ``PLUMBLINE_SERVICE_<FIELD>`` sets a field. A misspelt
key is refused in both, with the field that was probably meant.
"""

from __future__ import annotations

import ipaddress
from pathlib import Path
from typing import Annotated, ClassVar, Literal

from pydantic import Field, SecretStr, field_validator
from pydantic_settings import NoDecode, SettingsConfigDict
from typing_extensions import override

from plumbline.bundle.errors import PluginError
from plumbline.bundle.plugin_module import name_modules, named_modules
from plumbline.service.backends import BACKENDS
from plumbline.store.settings import Settings

PREFIX = "PLUMBLINE_SERVICE_"


class SettingsError(Exception):
    """A setting is misspelt or out of range; the message says which and what was expected."""


def _default_store() -> str:
    return (Path.cwd() / ".state" / "store").as_uri()


class ServiceSettings(Settings):
    """Everything that can be set about the service."""

    model_config = SettingsConfigDict(env_prefix=PREFIX)

    owner: ClassVar[str] = "the service"
    error: ClassVar[type[Exception]] = SettingsError

    store: str = Field(
        default_factory=_default_store,
        description="URL of the store: file://, s3://, gs:// or az://; by default ./.state/store.",
    )
    models: Annotated[tuple[str, ...], NoDecode] = Field(
        min_length=1, description="Names of the models to serve, separated by commas."
    )
    host: str = Field("127.0.0.1", description="IP address to listen on; 0.0.0.0 for all.")
    port: int = Field(3000, ge=1, le=65535, description="Port of the HTTP API.")
    admin_host: str = Field("127.0.0.1", description="IP address of the admin API.")
    admin_port: int = Field(3002, ge=1, le=65535, description="Port of the admin API.")
    admin_token: SecretStr | None = Field(
        None,
        description="Bearer token of the admin API; by default one is made and kept in the state "
        "folder as admin-token, readable by its owner alone.",
    )
    workers: int = Field(
        2, ge=1, le=64, description="Worker processes; each runs the model on one core."
    )
    state: Path = Field(
        Path(".state/service"),
        description="Folder of the spool, the metrics files and the admin token; one per server.",
    )
    state_seconds: float = Field(
        0.0,
        ge=0,
        le=300,
        description="How long a start waits for another server to leave the state folder.",
    )
    backend: str = Field(
        "onnx",
        description="What runs a bundle: `onnx`, `torchscript`, which needs torch, or a plug-in.",
    )
    device: Literal["auto", "cpu", "cuda"] = Field(
        "auto", description="auto takes CUDA where the runtime offers it."
    )
    poll_seconds: float = Field(
        0.5, gt=0, le=60, description="How often champion and verdict are read from the store."
    )
    body_limit_bytes: int = Field(
        2**20, ge=1024, le=2**30, description="Larger bodies are answered with 413."
    )
    body_timeout_seconds: float = Field(
        5.0, gt=0, le=300, description="A body that takes longer is answered with 408."
    )
    keep_alive_seconds: int = Field(
        75,
        ge=1,
        le=3600,
        description="Idle connections are closed after this; longer than the idle timeout of usual "
        "load balancers, so that these close first.",
    )
    log_mode: Literal["strict", "best_effort"] = Field(
        "strict",
        description="strict answers after the row is durable, or with 503; best_effort answers at "
        "once and counts the rows it has to drop.",
    )
    log_queue_rows: int = Field(
        8192, ge=1, description="Rows that may wait to be written in best_effort mode."
    )
    spool_limit_bytes: int = Field(
        256 * 2**20, ge=2**20, description="Bound of each worker's spool on disk."
    )
    ship_seconds: float = Field(
        1.0,
        gt=0,
        le=3600,
        description="How often spooled rows are sealed into segments of the store.",
    )
    window_sample_ratio: float = Field(
        0.1,
        ge=0,
        le=1,
        description="Share of rows logged with their whole input window, chosen by the hash of the "
        "prediction id, cross-sections whole; a challenger is judged on them.",
    )
    shadow_ratio: float = Field(
        1.0,
        ge=0,
        le=1,
        description="Share of rows that a challenger answers too, if there is one, unseen by "
        "clients: chosen by the hash of the prediction id, cross-sections whole; fewer when the "
        "service is busy. Only rows without gaps let the monitor make their windows again. 0 "
        "switches shadow off here.",
    )
    version_retention_seconds: float = Field(
        3600.0,
        ge=0,
        description="How long the metrics of a version are shown after it has stopped serving.",
    )
    drain_seconds: float = Field(
        1.0,
        ge=0,
        le=300,
        description="Time between readiness going down and the stop of the workers.",
    )

    plugins: Annotated[tuple[str, ...], NoDecode] = Field(
        (), description="Plug-in modules to use: files or dotted names, separated by commas."
    )

    @field_validator("models", "plugins", mode="before")
    @classmethod
    def _split(cls, value: object) -> object:
        if isinstance(value, str):
            return tuple(name.strip() for name in value.split(",") if name.strip())
        return value

    @field_validator("models")
    @classmethod
    def _unique(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        if len(set(value)) != len(value):
            raise ValueError("each model once")
        return value

    @field_validator("host", "admin_host")
    @classmethod
    def _address(cls, value: str) -> str:
        return str(ipaddress.ip_address("127.0.0.1" if value == "localhost" else value))

    @field_validator("state")
    @classmethod
    def _absolute(cls, value: Path) -> Path:
        return value.expanduser().absolute()

    @property
    def spool_folder(self) -> Path:
        """Where the workers' rows lie until they are shipped."""
        return self.state / "spool"

    @property
    def bentoml_home(self) -> Path:
        """BentoML's own folder."""
        return self.state / "bentoml"

    @property
    def metrics_folder(self) -> Path:
        """Where the processes keep their metrics; BentoML sets and wipes it, below its home."""
        return self.bentoml_home / "prometheus_multiproc_dir"

    @property
    def drain_flag(self) -> Path:
        """The file by which the parent tells the workers that the end is near."""
        return self.state / "draining"

    @override
    def use(self) -> None:
        """Name the plug-in modules to this process and its children; refuse what none brings."""
        try:
            name_modules(self.plugins)
            if self.backend not in BACKENDS:
                names = ", ".join(sorted(BACKENDS))
                raise SettingsError(f"backend: expected one of {names}, got {self.backend!r}")
        except PluginError as error:
            raise SettingsError(str(error)) from error

    def environment(self) -> dict[str, str]:
        """Return the variables a worker reads these settings from; the token is not among them."""
        values = self.model_dump(mode="json", exclude={"admin_token"})
        values["models"] = ",".join(self.models)
        values["plugins"] = ",".join(named_modules())
        return {PREFIX + name.upper(): str(value) for name, value in values.items()}
