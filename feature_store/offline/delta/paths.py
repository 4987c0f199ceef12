"""Where everything lies under the root of the offline store. Nobody else builds these paths.

Sources lie at ``<root>/<asset>``, the tables of a view at
``<root>/views/<namespace>/<view>/vN/{values,tiles,state,stream}``, training sets at ``<root>/training/<name>``. The
ledger of a table is the table called like it plus ``.ledger``.
"""

from __future__ import annotations

import re
from typing import Final

from feature_store.errors import InputError

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


def ledger_uri(table_uri: str) -> str:
    """Return where the ledger of a table lies: beside it, since files below a Delta table belong to that table."""
    return f"{table_uri}.ledger"


def manifest_uri(table_uri: str) -> str:
    """Return where the manifests of a training set lie."""
    return f"{table_uri}.manifests"
