"""The catalog's database: connections, transactions that write one after another, and its migrations.

SQLite lies on a local disk only: its locks do not work on network file systems.
"""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy import event
from sqlalchemy.exc import ArgumentError, DBAPIError, NoSuchModuleError, OperationalError

from feature_store.errors import FeatureStoreError, InputError

NEWEST: Final = "0002"
"""The newest step of ``migrations/versions``."""

BUSY_SECONDS: Final = 60
"""The longest that a writer waits for another one, after which it gives up."""

_NO_URL: Final = (
    "FEATURES_CATALOG is no URL of a database: write sqlite:///<file> or postgresql+psycopg2://user@host/name"
)

_MIGRATION_LOCK: Final = 4_061_537_208
"""Number of the advisory lock under which PostgreSQL is migrated by one process at a time."""


class CatalogError(FeatureStoreError):
    """The catalog's database cannot be used."""


def open_engine(url: str) -> sa.Engine:
    """Return the engine of a database at the newest schema; it is created or migrated where it is not.

    Args:
        url: ``sqlite:///<file>``, ``postgresql+psycopg://...`` or ``postgresql+psycopg2://...``.

    Raises:
        InputError: the URL names no database that is supported, or its driver is not installed.
        CatalogError: the database cannot be reached, or is newer than this release.
    """
    try:
        engine = _create(url)
    except (ArgumentError, NoSuchModuleError) as error:
        raise InputError(_NO_URL) from error
    except ModuleNotFoundError as error:
        raise InputError(f"FEATURES_CATALOG needs the Python package {error.name}: install it") from error
    with _told_plainly(engine):
        if _version(engine) != NEWEST:
            _migrate(engine)
    return engine


def is_postgres(url: str) -> bool:
    """Say whether a URL names a database in PostgreSQL.

    Raises:
        InputError: it names no database.
    """
    try:
        return sa.make_url(url).get_backend_name() == "postgresql"
    except ArgumentError as error:
        raise InputError(_NO_URL) from error


def may_exist(url: str) -> bool:
    """Say whether a database is there; one of a server may be. Asking makes no file."""
    try:
        parsed = sa.make_url(url)
    except ArgumentError:
        return True  # opening it says what is wrong
    file = parsed.database if parsed.get_backend_name() == "sqlite" else None
    return file is None or Path(file).exists()


@contextmanager
def reading(engine: sa.Engine) -> Generator[sa.Connection]:
    """A transaction that reads one state of the database."""
    with _told_plainly(engine), engine.connect() as connection, connection.begin():
        yield connection


@contextmanager
def writing(engine: sa.Engine) -> Generator[sa.Connection]:
    """A transaction that writes; on SQLite it holds the one lock for writers from its start."""
    with _told_plainly(engine), engine.connect().execution_options(writes=True) as connection, connection.begin():
        yield connection


def _create(url: str) -> sa.Engine:
    parsed = sa.make_url(url)
    if parsed.get_backend_name() not in ("sqlite", "postgresql"):
        raise ArgumentError(parsed.get_backend_name())
    if parsed.get_backend_name() == "postgresql":
        return sa.create_engine(parsed, pool_pre_ping=True)
    if parsed.database is None or parsed.database == ":memory:":
        raise ArgumentError("a catalog outlives its process")
    Path(parsed.database).parent.mkdir(parents=True, exist_ok=True)
    engine = sa.create_engine(parsed, connect_args={"timeout": BUSY_SECONDS})
    event.listen(engine, "connect", _take_over_transactions)
    event.listen(engine, "begin", _begin)
    return engine


def _take_over_transactions(connection: Any, _record: object) -> None:
    connection.isolation_level = None  # sqlite3 would begin transactions itself, and too late
    connection.execute("PRAGMA journal_mode=WAL")
    connection.execute("PRAGMA foreign_keys=ON")


def _begin(connection: sa.Connection) -> None:
    writes = connection.get_execution_options().get("writes", False)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")


def _version(engine: sa.Engine) -> str | None:
    with engine.connect() as connection, connection.begin():
        if not sa.inspect(connection).has_table("alembic_version"):
            return None
        return connection.execute(sa.text("SELECT version_num FROM alembic_version")).scalar_one_or_none()


def _migrate(engine: sa.Engine) -> None:
    from alembic import command  # noqa: PLC0415 - only where there is something to do
    from alembic.config import Config  # noqa: PLC0415
    from alembic.util import CommandError  # noqa: PLC0415

    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations").replace("%", "%%"))
    with writing(engine) as connection:
        if engine.dialect.name == "postgresql":
            connection.execute(sa.text(f"SELECT pg_advisory_xact_lock({_MIGRATION_LOCK})"))
        config.attributes["connection"] = connection
        try:
            command.upgrade(config, NEWEST)
        except CommandError as error:
            raise CatalogError(
                f"the catalog at {engine.url.render_as_string()} is of a newer release ({error}): use that release"
            ) from error


def _refused(error: DBAPIError) -> bool:
    """Say whether PostgreSQL refuses what its roles or policies do not allow; its two drivers name the code apart."""
    codes = {getattr(error.orig, name, None) for name in ("pgcode", "sqlstate")}
    return "42501" in codes


@contextmanager
def _told_plainly(engine: sa.Engine) -> Generator[None]:
    """Turn the driver's errors into ``CatalogError``, without the URL's password."""
    try:
        yield
    except DBAPIError as error:
        place = engine.url.render_as_string(hide_password=True)
        problem = str(error.orig).strip().splitlines()[0] if str(error.orig).strip() else type(error.orig).__name__
        instead = "check that it runs and may be reached" if isinstance(error, OperationalError) else "see its log"
        if _refused(error):
            instead = "this role may change what its own team owns: apply that alone, with --team"
        raise CatalogError(f"catalog {place}: {problem}: {instead}") from error
