"""Paths under the root of the offline store. Nobody else builds these paths.

Sources lie at ``<root>/<asset>``, the tables of a view at
``<root>/views/<namespace>/<view>/vN/{values,tiles,state,stream}``, training sets at ``<root>/training/<name>``, all
that a branch writes below ``<root>/branches/<name>``. The
ledger of a table is the table called like it plus ``.ledger``, notes of files that are being staged for it lie in the
folder called like it plus ``.stages``.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Final

from feature_store.errors import InputError
from feature_store.temporal.instants import from_microseconds

_NAME: Final = re.compile(r"\w[\w.-]*(/\w[\w.-]*)*", re.ASCII)


def source_uri(root: str, asset: str) -> str:
    """Return where the rows of a source lie.

    >>> source_uri("s3://lake/", "raw/transactions")
    's3://lake/raw/transactions'
    """
    return f"{root.rstrip('/')}/{asset}"


def view_uri(root: str, full_name: str, part: str) -> str:
    """Return where one table of a view lies.

    Args:
        root: root of the store.
        full_name: ``namespace/name/vN``.
        part: ``values``, ``tiles``, ``state`` or ``stream`` (the copy of what the stream wrote).
    """
    return f"{root.rstrip('/')}/views/{full_name}/{part}"


def training_uri(root: str, name: str) -> str:
    """Return where the rows of a training set lie.

    Raises:
        InputError: the name could not be told apart in a path.
    """
    if not _NAME.fullmatch(name):
        raise InputError(f"{name!r} cannot be the name of a training set: use letters, digits and _.-, e.g. 'churn/v1'")
    return f"{root.rstrip('/')}/training/{name}"


def branch_uri(root: str, name: str) -> str:
    """Return below which place everything lies that a branch writes."""
    return f"{root.rstrip('/')}/branches/{name}"


def table_name(table_uri: str) -> str:
    """Return what a table is called wherever its store lies: what its records belong to.

    >>> table_name("s3://lake/views/retail/spend/v1/tiles"), table_name("/lake/raw/transactions")
    ('views/retail/spend/v1/tiles', 'transactions')
    """
    found = re.search(r"/((?:views(?:/[^/]+){4})|training/.+)$", table_uri)
    return table_uri.rpartition("/")[2] if found is None else found[1]


def ledger_uri(table_uri: str) -> str:
    """Return where the ledger of a table lies: beside it, since files below a Delta table belong to that table."""
    return f"{table_uri}.ledger"


def manifest_uri(table_uri: str) -> str:
    """Return where the manifests of a training set lie."""
    return f"{table_uri}.manifests"


def stages_uri(table_uri: str) -> str:
    """Return where it is noted which files are being staged for a table."""
    return f"{table_uri}.stages"


def staged_file(stage: str, instant: int, part: int) -> str:
    """Return where a stage writes the rows of a day, relative to its table.

    Args:
        stage: name of the stage.
        instant: of the day, microseconds.
        part: of the tasks that write the day.

    >>> staged_file("7f", 0, 2)
    'day=1970-01-01/7f-2.parquet'
    """
    return f"{day_folder(instant)}/{stage}-{part}.parquet"


def day_folder(instant: int) -> str:
    """Return the folder of a table's files of a day, relative to the table."""
    return f"day={from_microseconds(instant).date()}"


def local_folder(uri: str) -> Path | None:
    """Return the folder of a URI on a disk; None: it is in an object store.

    >>> local_folder("file:///lake/raw"), local_folder("s3://lake/raw")
    (PosixPath('/lake/raw'), None)
    """
    plain = uri.removeprefix("file://")
    return None if re.match(r"[A-Za-z][A-Za-z0-9+.-]*://", plain) else Path(plain)
