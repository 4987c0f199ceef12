"""Settings: where everything lies and listens, from the environment, with defaults inside the project's own folder."""

from __future__ import annotations

import getpass
import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from feature_store.checks.branch_names import check_branch_name
from feature_store.errors import InputError
from feature_store.plans.plan_revisions import branch_plans
from feature_store.s3.options import S3Options, S3Settings
from feature_store.s3.paths import Place, place_of
from resources.project_file import project_file
from resources.secrets import bring_secrets

ENGINES: Final = ("polars", "spark")
"""The engines by name; the first computes where none is named."""

BUCKETS: Final = 64
"""The number of parts into which Spark divides entities where none is given."""

_SLACK_API = "https://slack.com/api/"

_VERIFY_SAMPLE = 10_000


def project_root() -> Path:
    """Return the folder of the project; see ``resources.project_file``."""
    return project_file().root


@dataclass(frozen=True)
class Settings:
    """The settings from outside. Secrets are left out of its text.

    Attributes:
        state: folder of everything that is kept between runs (``FEATURES_STATE``; ``.state``).
        offline_root: root of the offline store, a folder or ``s3://bucket/prefix`` (``FEATURES_OFFLINE_ROOT``).
        storage_options: as deltalake takes them: what ``FEATURES_S3_ENDPOINT``, ``_REGION``, ``_ADDRESSING``,
            ``_PROFILE`` and ``_ROLE`` say (see ``S3Settings``), then ``FEATURES_STORAGE_OPTIONS``, a JSON object of
            strings.
        engine: ``polars`` or ``spark``, which computes tiles and values (``FEATURES_ENGINE``).
        spark_remote: ``sc://`` URL of a Spark Connect server (``FEATURES_SPARK_REMOTE``); empty: a session per run.
        spark_config: settings of such a session (``FEATURES_SPARK_CONFIG``, a JSON object of strings).
        spark_buckets: into so many parts Spark divides entities (``FEATURES_SPARK_BUCKETS``; 64).
        online_url: Redis or Valkey URL (``FEATURES_ONLINE_URL``); empty: an embedded Valkey in ``online_folder``. A
            server whose ``maxmemory-policy`` evicts keys that never expire (``allkeys-...``) is refused: a row that is
            gone reads as an entity without events. Its user needs ``INFO``, also for the feature server's readiness.
        catalog_url: URL of the catalog's database (``FEATURES_CATALOG``; an SQLite file in ``state``), e.g.
            ``postgresql+psycopg2://user@host/name``.
        plans_folder: of the compiled service plans, a folder or ``s3://bucket/prefix`` (``FEATURES_PLANS``); ``plans``
            is where those of the branch lie.
        compute_logs: ``s3://bucket/prefix`` for what runs print (``FEATURES_COMPUTE_LOGS``); empty: Dagster's folder.
        pickles: ``s3://bucket/prefix`` for values that pass between assets and are no tables (``FEATURES_PICKLES``);
            empty: Dagster's folder.
        branch: name of the branch that all of this is of (``FEATURES_BRANCH``); empty: production.
        http_port: port of the feature server (``FEATURES_HTTP_PORT``; 8080).
        slack_base_url: where Slack's API answers (``FEATURES_SLACK_BASE_URL``).
        slack_token: bot token (``FEATURES_SLACK_TOKEN``); empty: no message is sent.
        ui_port: port on which ``make dev`` opens the Dagster UI (``FEATURES_UI_PORT``; 3000).
        ui_url: where links in messages lead (``FEATURES_UI_URL``; the Dagster UI on this machine).
        verify_sample: about so many rows of each generation online are compared every morning
            (``FEATURES_VERIFY_SAMPLE``; 10,000).
        data_folder: Parquet files that replace those of the data package, name by name (``FEATURES_DATA_FOLDER``).
        original_clock: keep the data's own dates instead of moving them up to today (``FEATURES_CLOCK=original``).
        fixed_now: pretend that it is this instant, for tests (``FEATURES_NOW``, ISO 8601 with a zone).
        days: how many days the demo covers (``DAYS``); None: its own choice.
    """

    state: Path
    offline_root: str
    storage_options: Mapping[str, str] = field(repr=False)
    engine: str
    spark_remote: str = field(repr=False)
    spark_config: Mapping[str, str] = field(repr=False)
    spark_buckets: int
    online_url: str = field(repr=False)
    catalog_url: str = field(repr=False)
    plans_folder: Place
    compute_logs: str
    pickles: str
    branch: str
    http_port: int
    slack_base_url: str
    slack_token: str = field(repr=False)
    ui_port: int
    ui_url: str
    verify_sample: int
    data_folder: Path | None
    original_clock: bool
    fixed_now: datetime | None
    days: int | None

    @property
    def online_folder(self) -> Path:
        """Folder of the embedded Valkey: its data, process id, port and log."""
        return self.state / "online"

    @property
    def production(self) -> Settings:
        """The same without the branch."""
        return self.of_branch("")

    def of_branch(self, name: str) -> Settings:
        """Return the same of another branch; of none (an empty name): production's."""
        return replace(self, branch=name)

    @property
    def plans(self) -> Place:
        """Folder of the service plans, of the branch if there is one."""
        return branch_plans(self.plans_folder, self.branch)

    @property
    def dagster_home(self) -> Path:
        """Folder of the project's own Dagster instance: runs on a branch are none of production."""
        return (self.state / "branches" / self.branch if self.branch else self.state) / "dagster"

    @classmethod
    def from_environment(cls, environment: Mapping[str, str] | None = None) -> Settings:
        """Read the settings; relative paths count from the project's folder, and an empty variable is an unset one.

        Args:
            environment: variables by name; None: those of this process, with the secrets of ``FEATURES_SECRETS``.

        Raises:
            InputError: a variable has a value that cannot be; the message names it.
        """
        if environment is None:
            bring_secrets()
        given = {name: value for name, value in (os.environ if environment is None else environment).items() if value}
        state = project_root() / given.get("FEATURES_STATE", ".state")
        ui_port = _integer(given, "FEATURES_UI_PORT", 1, 65535) or 3000
        options = _storage_options(given)
        return cls(
            state=state,
            offline_root=_root(given.get("FEATURES_OFFLINE_ROOT"), state / "offline"),
            storage_options=options,
            engine=_one_of(given, "FEATURES_ENGINE", ENGINES),
            spark_remote=_url(given, "FEATURES_SPARK_REMOTE", "", ("sc",)),
            spark_config=_string_map(given, "FEATURES_SPARK_CONFIG", "spark.master", "local[2]"),
            spark_buckets=_integer(given, "FEATURES_SPARK_BUCKETS", 1, 1_000_000) or BUCKETS,
            online_url=_url(given, "FEATURES_ONLINE_URL", "", ("redis", "rediss", "unix")),
            catalog_url=given.get("FEATURES_CATALOG", f"sqlite:///{state / 'catalog.db'}"),
            plans_folder=_place(given.get("FEATURES_PLANS"), state / "plans", options),
            compute_logs=_url(given, "FEATURES_COMPUTE_LOGS", "", ("s3",)),
            pickles=_url(given, "FEATURES_PICKLES", "", ("s3",)),
            branch=_branch(given),
            http_port=_integer(given, "FEATURES_HTTP_PORT", 1, 65535) or 8080,
            slack_base_url=_url(given, "FEATURES_SLACK_BASE_URL", _SLACK_API, ("http", "https")),
            slack_token=given.get("FEATURES_SLACK_TOKEN", ""),
            ui_port=ui_port,
            ui_url=_url(given, "FEATURES_UI_URL", f"http://127.0.0.1:{ui_port}", ("http", "https")),
            verify_sample=_integer(given, "FEATURES_VERIFY_SAMPLE", 1, 1_000_000_000) or _VERIFY_SAMPLE,
            data_folder=project_root() / given["FEATURES_DATA_FOLDER"] if "FEATURES_DATA_FOLDER" in given else None,
            original_clock=_is_original(given.get("FEATURES_CLOCK", "live")),
            fixed_now=_instant(given, "FEATURES_NOW"),
            days=_integer(given, "DAYS", 1, 3650),
        )


def user() -> str:
    """Return who works here: ``FEATURES_USER``, or the name of the system's user."""
    try:
        return os.environ.get("FEATURES_USER") or getpass.getuser()
    except (KeyError, OSError):  # a container's user may have no name
        return f"uid {os.getuid()}"


def _root(text: str | None, default: Path) -> str:
    if text is None:
        return str(default)
    return text if "://" in text else str(project_root() / text)


def _place(text: str | None, default: Path, options: Mapping[str, str]) -> Place:
    return default if text is None else place_of(_root(text, default), options)


def _storage_options(given: Mapping[str, str]) -> Mapping[str, str]:
    own = _string_map(given, "FEATURES_STORAGE_OPTIONS", "AWS_REGION", "eu-central-1")
    return S3Options(S3Settings.from_environment(given), own)


def _url(given: Mapping[str, str], name: str, default: str, schemes: tuple[str, ...]) -> str:
    text = given.get(name, default)
    if text and not text.startswith(tuple(f"{scheme}://" for scheme in schemes)):
        # The value is not shown: it may hold a password.
        *others, last = (f"{scheme}://" for scheme in schemes)
        allowed = f"{', '.join(others)} or {last}" if others else last
        raise InputError(f"{name} must start with {allowed}")
    return text


def _branch(given: Mapping[str, str]) -> str:
    try:
        return check_branch_name(given["FEATURES_BRANCH"]) if "FEATURES_BRANCH" in given else ""
    except InputError as error:
        raise InputError(f"FEATURES_BRANCH={error}") from error


def _one_of(given: Mapping[str, str], name: str, allowed: Sequence[str]) -> str:
    text = given.get(name, allowed[0])
    if text not in allowed:
        raise InputError(f"{name}={text!r} is none of {', '.join(allowed)}")
    return text


def _string_map(given: Mapping[str, str], name: str, key: str, example: str) -> dict[str, str]:
    shown = json.dumps({key: example})
    try:
        value = json.loads(given.get(name, "{}"))
    except json.JSONDecodeError as error:
        raise InputError(f"{name} is not JSON: write {shown}") from error
    if not isinstance(value, dict) or not all(isinstance(item, str) for item in value.values()):
        raise InputError(f"{name} is not a JSON object of strings: write {shown}")
    return value


def _integer(given: Mapping[str, str], name: str, lowest: int, highest: int) -> int | None:
    text = given.get(name)
    if text is None:
        return None
    if not text.isascii() or not text.isdigit() or not lowest <= int(text) <= highest:
        raise InputError(f"{name}={text!r} is not a whole number from {lowest} to {highest}")
    return int(text)


def _is_original(text: str) -> bool:
    if text not in ("live", "original"):
        raise InputError(f"FEATURES_CLOCK={text!r} is neither 'live' (dates moved up to today) nor 'original'")
    return text == "original"


def _instant(given: Mapping[str, str], name: str) -> datetime | None:
    text = given.get(name)
    if text is None:
        return None
    try:
        instant = datetime.fromisoformat(text)
    except ValueError as error:
        raise InputError(f"{name}={text!r} is not an instant: write 2026-01-31T00:00:10+00:00") from error
    if instant.tzinfo is None:
        raise InputError(f"{name}={text!r} has no time zone: write 2026-01-31T00:00:10+00:00")
    return instant.astimezone(UTC)
