"""Who asks S3 and where: options that follow from settings, keys of a profile or a role, and what may be shown."""

import os
import pickle
from pathlib import Path

import pytest
from deltalake import DeltaTable, write_deltalake

from feature_store.errors import InputError, StorageError
from feature_store.offline.tables.store import OfflineStore
from feature_store.s3 import options as s3_options
from feature_store.s3.options import S3Options, S3Settings
from resources.settings import Settings
from tests.fixtures.servers.aws import Aws
from tests.offline.definitions import ShopperSpend, day, spend_values

PROFILE = "[profile lake]\nregion = us-east-1\n"
KEYS = "[lake]\naws_access_key_id = PROFILEKEY\naws_secret_access_key = planted-secret\n"


@pytest.fixture
def profile(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """The profile ``lake`` of a home folder of the test's own."""
    for name, text in {"config": PROFILE, "credentials": KEYS}.items():
        (tmp_path / name).write_text(text)
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "config"))
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "credentials"))
    s3_options._credentials.cache_clear()
    yield "lake"
    s3_options._credentials.cache_clear()


def test_settings_become_the_options_of_delta_rs(s3_server: Aws) -> None:
    settings = S3Settings("http://127.0.0.1:9", "us-east-1", "path")
    assert dict(S3Options(settings, {"AWS_REGION": "eu-central-1", "timeout": "5s"})) == {
        "AWS_ENDPOINT_URL": "http://127.0.0.1:9",
        "AWS_ALLOW_HTTP": "true",
        "AWS_REGION": "eu-central-1",
        "AWS_VIRTUAL_HOSTED_STYLE_REQUEST": "false",
        "timeout": "5s",
    }
    assert dict(S3Options(S3Settings())) == {}
    assert not S3Options(S3Settings())


def test_the_environment_says_where_and_the_json_object_wins() -> None:
    environment = {
        "FEATURES_OFFLINE_ROOT": "s3://lake/prod",
        "FEATURES_PLANS": "s3://lake/plans",
        "FEATURES_S3_ENDPOINT": "https://s3.example.com",
        "FEATURES_S3_REGION": "eu-west-1",
        "FEATURES_STORAGE_OPTIONS": '{"AWS_REGION": "eu-central-1"}',
    }
    settings = Settings.from_environment(environment)
    assert settings.storage_options == {"AWS_ENDPOINT_URL": "https://s3.example.com", "AWS_REGION": "eu-central-1"}
    assert (settings.offline_root, str(settings.plans)) == ("s3://lake/prod", "s3://lake/plans")
    assert str(settings.of_branch("late6").plans) == "s3://lake/plans/branches/late6"


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("ENDPOINT", "s3.example.com", "is no URL"),
        ("ADDRESSING", "sideways", "is none of path, virtual"),
        ("ROLE", "admin", "is no ARN of a role"),
    ],
)
def test_a_setting_that_cannot_be_is_refused(name: str, value: str, message: str) -> None:
    with pytest.raises(InputError, match=f"FEATURES_S3_.*{message}"):
        Settings.from_environment({f"FEATURES_S3_{name}": value})


def test_a_profile_gives_the_keys_with_which_tables_are_written(s3_server: Aws, profile: str) -> None:
    options = S3Options(S3Settings(s3_server.endpoint, "us-east-1", "path", profile))
    assert (options["AWS_ACCESS_KEY_ID"], options["AWS_SECRET_ACCESS_KEY"]) == ("PROFILEKEY", "planted-secret")
    store = OfflineStore(f"s3://{s3_server.new_bucket()}/offline", options)
    store.values(ShopperSpend).write(spend_values([(day(0), 1, 1)]), day(0), day(1), run_id="r")
    assert store.values(ShopperSpend).scan().collect().height == 1


def test_a_role_is_assumed_and_its_keys_are_of_one_moment(
    s3_server: Aws, profile: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL_STS", s3_server.endpoint)
    role = "arn:aws:iam::123456789012:role/features"
    options = S3Options(S3Settings(s3_server.endpoint, "us-east-1", "path", profile, role))
    keys = dict(options)
    assert keys["AWS_ACCESS_KEY_ID"] != "PROFILEKEY"
    assert keys["AWS_SESSION_TOKEN"]
    assert dict(options) == keys
    uri = f"s3://{s3_server.new_bucket()}/table"
    write_deltalake(uri, spend_values([(day(0), 1, 1)]), storage_options=keys)
    assert DeltaTable(uri, storage_options=dict(options)).version() == 0


def test_a_profile_that_is_not_there_is_named(profile: str) -> None:
    with pytest.raises(StorageError, match=r"profile pond: no keys can be had .*pond"):
        dict(S3Options(S3Settings(profile="pond")))


@pytest.mark.parametrize("key", ["AWS_SECRET_ACCESS_KEY", "aws_secret_access_key", "secret_access_key"])
def test_no_key_is_shown_or_leaves_the_process(profile: str, key: str) -> None:
    given = S3Options(S3Settings(profile=profile), {key: "planted-secret"})
    store = OfflineStore("s3://lake/offline", {key: "planted-secret", "AWS_REGION": "us-east-1"})
    for each in (given, store, store.values(ShopperSpend).options):
        dict(given)
        assert "planted-secret" not in repr(each)
        assert b"planted-secret" not in pickle.dumps(each)
    assert pickle.loads(pickle.dumps(store)).storage_options == {"AWS_REGION": "us-east-1"}
    assert os.environ.get("AWS_SECRET_ACCESS_KEY") != "planted-secret"
