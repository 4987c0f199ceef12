"""The catalog's record of branches: each begins at a revision of production, and goes when it is dropped."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

import sqlalchemy as sa

from feature_store.catalog.rows import PRODUCTION, Layer, head, insert_new
from feature_store.catalog.schema import BRANCHES, DEFINITIONS, HEAD, REVISIONS
from feature_store.errors import InputError
from feature_store.temporal.instants import from_microseconds, to_microseconds

LIFETIME: Final = timedelta(days=14)
"""The time after which a branch has expired; far below the time for which replaced rows of production are kept."""


class UnknownBranchError(InputError):
    """There is no branch of a name."""


@dataclass(frozen=True)
class Branch:
    """A branch.

    Attributes:
        name: as in ``FEATURES_BRANCH``.
        began_at: UTC, by the real clock, whole milliseconds: production is read as it was just before.
        began_by: who began it.
        base: the newest revision of production then.
        is_going: whether it is being dropped: nobody reads or writes it any more.
    """

    name: str
    began_at: datetime
    began_by: str
    base: int
    is_going: bool = False

    @property
    def expires_at(self) -> datetime:
        """The instant from which it may be dropped by anybody."""
        return self.began_at + LIFETIME

    @property
    def layer(self) -> Layer:
        """Its layer of the catalog."""
        return Layer(self.name, self.base)


def branches(connection: sa.Connection) -> list[Branch]:
    """Return the branches, the oldest first."""
    query = sa.select(BRANCHES).order_by(BRANCHES.c.began_at, BRANCHES.c.name)
    return [_branch(row) for row in connection.execute(query).mappings()]


def find_branch(connection: sa.Connection, name: str, *, lock: bool = False) -> Branch | None:
    """Return the branch of a name, locked until the transaction ends if wanted; None: there is none."""
    query = sa.select(BRANCHES).where(BRANCHES.c.name == name)
    row = connection.execute(query.with_for_update() if lock else query).mappings().first()
    return None if row is None else _branch(row)


def require_branch(connection: sa.Connection, name: str, *, lock: bool = False) -> Branch:
    """Return the branch of a name.

    Args:
        connection: in a transaction.
        name: of the branch.
        lock: whether it may not be dropped before the transaction ends.

    Raises:
        UnknownBranchError: there is none, or it is being dropped.
    """
    found = find_branch(connection, name, lock=lock)
    if found is None:
        names = ", ".join(each.name for each in branches(connection))
        known = f"there are {names}" if names else "there is none yet"
        raise UnknownBranchError(
            f"there is no branch {name!r}: {known}. `features apply` with FEATURES_BRANCH begins one"
        )
    if found.is_going:
        raise UnknownBranchError(
            f"branch {name!r} is being dropped: run `features branch drop {name}` again where that was interrupted"
        )
    return found


def begin_branch(connection: sa.Connection, name: str, by: str, now: datetime) -> Branch:
    """Return the branch of a name, which begins now if there is none.

    Raises:
        UnknownBranchError: it is being dropped.
    """
    began_at = to_microseconds(now) // 1000 * 1000  # commits say their time in milliseconds
    began = {"name": name, "began_at": began_at, "began_by": by, "is_going": False}
    insert_new(connection, BRANCHES, **began, base=head(connection, PRODUCTION))
    return require_branch(connection, name)


def note_going(connection: sa.Connection, name: str) -> None:
    """Note down that a branch is being dropped, from when on nobody reads or writes it."""
    connection.execute(sa.update(BRANCHES).where(BRANCHES.c.name == name).values(is_going=True))


def forget_branch(connection: sa.Connection, name: str) -> None:
    """Delete all that the catalog records of a branch."""
    for table in (DEFINITIONS, REVISIONS, HEAD):
        connection.execute(sa.delete(table).where(table.c.branch == name))
    connection.execute(sa.delete(BRANCHES).where(BRANCHES.c.name == name))


def _branch(row: Any) -> Branch:
    return Branch(row["name"], from_microseconds(row["began_at"]), row["began_by"], row["base"], bool(row["is_going"]))
