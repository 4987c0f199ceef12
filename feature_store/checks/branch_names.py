"""Names of branches: part of paths, of keys and of URLs, and so of few characters."""

from __future__ import annotations

import re

from feature_store.errors import InputError


def check_branch_name(name: str) -> str:
    """Return the name of a branch.

    Raises:
        InputError: it cannot be one.

    >>> check_branch_name("late-6")
    'late-6'
    """
    if not re.fullmatch(r"[a-z0-9][a-z0-9_-]{0,62}", name):
        raise InputError(
            f"{name!r} cannot be the name of a branch: use at most 63 lower-case letters, digits, - and _, and "
            "begin with a letter or digit, e.g. 'late-6'"
        )
    return name
