from datetime import UTC, datetime
from pathlib import Path

import pytest

from feature_store.errors import InputError
from resources.settings import Settings, project_root


def test_by_default_everything_lies_in_the_state_folder(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    settings = Settings.from_environment({"PATH": "x"})
    state = project_root() / ".state"
    assert (settings.state, settings.offline_root, settings.plans, settings.online_folder) == (
        state,
        str(state / "offline"),
        state / "plans",
        state / "online",
    )
    assert (settings.online_url, settings.http_port, settings.days, settings.data_folder) == ("", 8080, None, None)
    assert not settings.original_clock
    assert (settings.ui_port, settings.ui_url) == (3000, "http://127.0.0.1:3000")


def test_links_lead_to_the_ui_of_this_machine_unless_they_are_told_otherwise() -> None:
    assert Settings.from_environment({"FEATURES_UI_PORT": "3001"}).ui_url == "http://127.0.0.1:3001"
    outside = {"FEATURES_UI_PORT": "3001", "FEATURES_UI_URL": "https://dagster.example.com"}
    assert Settings.from_environment(outside).ui_url == "https://dagster.example.com"


def test_variables_replace_defaults_and_empty_ones_do_not() -> None:
    settings = Settings.from_environment(
        {
            "FEATURES_STATE": "elsewhere",
            "FEATURES_OFFLINE_ROOT": "s3://lake/features",
            "FEATURES_STORAGE_OPTIONS": '{"AWS_REGION": "eu-central-1"}',
            "FEATURES_HTTP_PORT": "9000",
            "FEATURES_SLACK_TOKEN": "secret-token",
            "FEATURES_ONLINE_URL": "",
            "FEATURES_CLOCK": "original",
            "FEATURES_NOW": "2026-01-31T01:00:10+01:00",
            "DAYS": "5",
        }
    )
    assert settings.plans == project_root() / "elsewhere" / "plans"
    assert settings.offline_root == "s3://lake/features"
    assert settings.storage_options == {"AWS_REGION": "eu-central-1"}
    assert (settings.http_port, settings.days, settings.online_url) == (9000, 5, "")
    assert settings.original_clock
    assert settings.fixed_now == datetime(2026, 1, 31, 0, 0, 10, tzinfo=UTC)
    assert "secret-token" not in repr(settings)


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("DAYS", "0", "DAYS='0' is not a whole number from 1"),
        ("DAYS", "two", "DAYS='two' is not a whole number"),
        ("FEATURES_HTTP_PORT", "65536", "FEATURES_HTTP_PORT='65536' is not a whole number from 1 to 65535"),
        ("FEATURES_ONLINE_URL", "cache:6379", "FEATURES_ONLINE_URL must start with redis://, rediss:// or unix://"),
        ("FEATURES_UI_URL", "localhost:3000", "FEATURES_UI_URL must start with http:// or https://"),
        ("FEATURES_ENGINE", "flink", "FEATURES_ENGINE='flink' is none of polars, spark"),
        ("FEATURES_SPARK_REMOTE", "spark:15002", "FEATURES_SPARK_REMOTE must start with sc://"),
        ("FEATURES_CLOCK", "fast", "FEATURES_CLOCK='fast' is neither 'live'"),
        ("FEATURES_NOW", "yesterday", "FEATURES_NOW='yesterday' is not an instant"),
        ("FEATURES_NOW", "2026-01-31T00:00:10", "has no time zone"),
        ("FEATURES_STORAGE_OPTIONS", "{", "FEATURES_STORAGE_OPTIONS is not JSON"),
        ("FEATURES_STORAGE_OPTIONS", '{"a": 1}', "FEATURES_STORAGE_OPTIONS is not a JSON object of strings"),
    ],
)
def test_a_wrong_variable_is_named(name: str, value: str, message: str) -> None:
    with pytest.raises(InputError) as caught:
        Settings.from_environment({name: value})
    assert message in str(caught.value)
