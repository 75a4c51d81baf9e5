"""Settings: file first, environment over it, nothing misspelt."""

from __future__ import annotations

from pathlib import Path

import pytest

from plumbline.service.settings import ServiceSettings, SettingsError


def test_environment_wins_over_file_and_arguments_over_both(tmp_path, monkeypatch):
    """The nearer source wins; what it leaves out comes from the next one."""
    file = tmp_path / "service.toml"
    file.write_text('models = ["a", "b"]\nport = 4000\nworkers = 3\n')
    monkeypatch.setenv("PLUMBLINE_SERVICE_FILE", str(file))
    monkeypatch.setenv("PLUMBLINE_SERVICE_PORT", "4001")

    settings = ServiceSettings.load(workers=5, host=None)

    assert (settings.models, settings.port, settings.workers) == (("a", "b"), 4001, 5)
    assert settings.host == "127.0.0.1"


def test_misspelt_variable_is_refused_with_a_suggestion(monkeypatch):
    """A variable that would be ignored silently ends the start instead."""
    monkeypatch.setenv("PLUMBLINE_SERVICE_WORKRES", "4")

    with pytest.raises(SettingsError, match=r"WORKRES.*did you mean PLUMBLINE_SERVICE_WORKERS"):
        ServiceSettings.load(models=("a",))


def test_variable_far_from_any_setting_lists_the_known_ones(monkeypatch):
    """Where nothing is close, known names are given."""
    monkeypatch.setenv("PLUMBLINE_SERVICE_XQZ", "1")

    with pytest.raises(
        SettingsError, match="there are PLUMBLINE_SERVICE_STORE, PLUMBLINE_SERVICE_MODELS"
    ):
        ServiceSettings.load(models=("a",))


def test_misspelt_key_of_the_file_is_refused(tmp_path, monkeypatch):
    """The file is as strict as the environment."""
    file = tmp_path / "service.toml"
    file.write_text('models = ["a"]\nworkres = 3\n')
    monkeypatch.setenv("PLUMBLINE_SERVICE_FILE", str(file))

    with pytest.raises(SettingsError, match="workres is no key: did you mean workers"):
        ServiceSettings.load()


def test_missing_file_is_named(monkeypatch):
    """A file that is not there is an error, not an empty file."""
    monkeypatch.setenv("PLUMBLINE_SERVICE_FILE", "/nowhere/service.toml")

    with pytest.raises(SettingsError, match=r"cannot read the settings in /nowhere/service.toml"):
        ServiceSettings.load(models=("a",))


def test_without_a_model_the_way_to_name_one_is_given():
    """The one thing without a default says how it is set."""
    with pytest.raises(SettingsError, match="give --model or PLUMBLINE_SERVICE_MODELS"):
        ServiceSettings.load()


@pytest.mark.parametrize(
    ("field", "value"),
    [("port", "0"), ("workers", "none"), ("host", "example.org"), ("models", "a,a")],
)
def test_value_out_of_range_names_the_field(monkeypatch, field, value):
    """Each refusal says which field and what came."""
    monkeypatch.setenv("PLUMBLINE_SERVICE_MODELS", "a")
    monkeypatch.setenv(f"PLUMBLINE_SERVICE_{field.upper()}", value)

    with pytest.raises(SettingsError, match=field):
        ServiceSettings.load()


def test_workers_read_back_the_same_settings_without_the_token(monkeypatch):
    """What the parent hands down is everything but the admin token."""
    monkeypatch.setenv("PLUMBLINE_SERVICE_ADMIN_TOKEN", "secret")
    settings = ServiceSettings.load(models=("a", "b"), window_sample_ratio=0.25, state=Path("x"))
    handed = settings.environment()

    assert not any("secret" in value for value in handed.values())
    monkeypatch.delenv("PLUMBLINE_SERVICE_ADMIN_TOKEN")
    for name, value in handed.items():
        monkeypatch.setenv(name, value)
    assert ServiceSettings.load() == settings.model_copy(update={"admin_token": None})


def test_every_setting_is_described():
    """docs/settings.md is made of these descriptions."""
    bare = [name for name, field in ServiceSettings.model_fields.items() if not field.description]

    assert bare == []
