"""Settings of the monitor: file first, then environment, then command line; nothing misspelt."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from plumbline.monitoring.errors import SettingsError
from plumbline.monitoring.monitor import build_triggers
from plumbline.monitoring.process import build_launcher
from plumbline.monitoring.settings import MonitoringSettings

STORE = "memory://settings"


def test_later_sources_win(tmp_path, monkeypatch):
    """Command line over environment over file over default."""
    file = tmp_path / "monitoring.toml"
    file.write_text('poll_seconds = 2.0\nport = 4001\nhost = "0.0.0.0"\n')
    monkeypatch.setenv("PLUMBLINE_MONITORING_PORT", "4002")
    monkeypatch.setenv("PLUMBLINE_MONITORING_POLL_SECONDS", "3.0")
    settings = MonitoringSettings.load(file, store=STORE, poll_seconds=4.0, model=None)

    assert (settings.host, settings.port, settings.poll_seconds) == ("0.0.0.0", 4002, 4.0)
    assert settings.model == "eurusd-1h"


def test_a_misspelt_variable_is_refused(monkeypatch):
    """It would be ignored in silence otherwise."""
    monkeypatch.setenv("PLUMBLINE_MONITORING_PROT", "4002")

    with pytest.raises(
        SettingsError,
        match=r"PROT is no setting of the monitor: did you mean PLUMBLINE_MONITORING_PORT\?",
    ):
        MonitoringSettings.load(store=STORE)


def test_a_misspelt_key_is_refused(tmp_path):
    """In the file as well."""
    file = tmp_path / "monitoring.toml"
    file.write_text("prot = 4001\n")

    with pytest.raises(
        SettingsError, match=r"monitoring.toml: prot is no key: did you mean port\?"
    ):
        MonitoringSettings.load(file, store=STORE)


def test_a_broken_or_missing_file_is_named(tmp_path):
    """The message says which file."""
    file = tmp_path / "monitoring.toml"

    with pytest.raises(SettingsError, match=r"monitoring\.toml"):
        MonitoringSettings.load(file, store=STORE)

    file.write_text("port = = 1")

    with pytest.raises(SettingsError, match=r"monitoring\.toml"):
        MonitoringSettings.load(file, store=STORE)


def test_values_out_of_range_are_refused():
    """The field is named."""
    with pytest.raises(SettingsError, match="poll_seconds"):
        MonitoringSettings.load(store=STORE, poll_seconds=0)


def test_settings_do_not_change_after_they_are_built():
    """They are passed down, and everybody sees the same."""
    settings = MonitoringSettings.load(store=STORE)

    with pytest.raises(ValidationError, match="frozen"):
        settings.port = 1


def test_tokens_are_not_printed(monkeypatch):
    """A settings object in a log line gives nothing away."""
    monkeypatch.setenv("PLUMBLINE_MONITORING_TOKEN", "hunter2")

    assert "hunter2" not in repr(MonitoringSettings.load(store=STORE))


def test_every_field_is_described():
    """The documentation is made of these sentences."""
    fields = MonitoringSettings.model_fields

    assert [name for name, field in fields.items() if not field.description] == []


def test_unknown_plug_ins_are_refused(tmp_path):
    """The message lists the ones there are."""
    settings = MonitoringSettings.load(store=STORE, triggers=("verdict", "moon"), launcher="moon")

    with pytest.raises(SettingsError, match=r"moon.*webhook"):
        build_triggers(settings)
    with pytest.raises(SettingsError, match="subprocess"):
        build_launcher(settings)
