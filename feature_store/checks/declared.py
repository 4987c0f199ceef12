"""Checks that every kind of declaration shares: names, descriptions, versions, and options of the wrong Python type."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Sequence
from datetime import date, datetime
from difflib import get_close_matches
from keyword import iskeyword
from typing import Final, cast

from feature_store.errors import DefinitionError

LONGEST_NAME: Final = 63
"""A Dagster tag holds no more characters."""

NAME: Final = re.compile(r"[a-z][a-z0-9]*(_[a-z0-9]+)*")
"""Names of everything that is declared: snake case, no double underscore (it separates view and feature)."""

LONGEST_SHOWN: Final = 200
MOST_LISTED: Final = 10
"""The most that messages show of values and of lists of names."""

STORED_COLUMNS: Final = ("partition_start", "as_of", "day")
"""Columns that the offline store adds to the values of a view; no key and no feature can be called so."""


def check_name(where: str, name: object) -> None:
    """Refuse a name that could not be told apart in keys, columns and paths."""
    if not isinstance(name, str) or not NAME.fullmatch(name):
        instead = "use lower-case words joined by single underscores, e.g. 'spend_7d'"
        raise DefinitionError(where, f"{shown(name)} is not a valid name", instead)
    if iskeyword(name):
        raise DefinitionError(where, f"{name!r} is a word of Python itself", "give it another name")
    if len(name) > LONGEST_NAME:
        raise DefinitionError(where, f"its name has {len(name)} characters", f"use at most {LONGEST_NAME}")


def check_description(where: str, description: object, instead: str = "give description='...'") -> None:
    """Refuse a declaration that says nothing about itself."""
    if not isinstance(description, str) or not any(unicodedata.category(each)[0] in "LNPS" for each in description):
        raise DefinitionError(where, "has no description", instead)


def check_version(where: str, version: object) -> None:
    """Refuse a version that is not a whole number from 1."""
    if type(version) is not int or version < 1:
        raise DefinitionError(where, f"version={version!r} is not a version", "count versions from 1")


def check_type(where: str, option: str, value: object, wanted: type | tuple[type, ...], instead: str) -> None:
    """Refuse an option that is another kind of Python object than declared."""
    if not isinstance(value, wanted):
        raise DefinitionError(where, f"{option}={shown(value)} is of type {type(value).__name__}", instead)


def check_names_list(where: str, option: str, names: object) -> None:
    """Refuse what is no list of names; one string would be read letter by letter."""
    if isinstance(names, str):
        raise DefinitionError(where, f"{option}={names!r} is one string", f"write a list: {option}=[{names!r}]")
    check_type(where, option, names, Sequence, f"write a list: {option}=[]")
    assert isinstance(names, Sequence)
    for name in cast("Sequence[object]", names):
        check_type(where, f"an entry of {option}", name, str, "write the name of a team")


def check_deprecated(where: str, text: object) -> str:
    """Return what says until when something can be relied on, and what to read instead.

    >>> check_deprecated("retail/spend/v1", "2027-01-31, use v2")
    '2027-01-31, use v2'
    """
    day, _, instead = text.partition(", ") if isinstance(text, str) else ("", "", "")
    try:
        date.fromisoformat(day)
    except ValueError:
        instead = ""
    if not instead.strip():
        problem = f"deprecated={shown(text)} does not say until when, and what to read instead"
        raise DefinitionError(where, problem, "write deprecated='2027-01-31, use v2'")
    assert isinstance(text, str)
    return text


def stored_names_problem(names: Iterable[str], taken: Iterable[str]) -> tuple[str, str] | None:
    """Return what keeps columns from being stored by their names, and what to do; None: nothing does.

    Delta Lake takes names that differ by case only for one, and Polars takes some for patterns.

    Args:
        names: of the columns.
        taken: names of the store's own columns, in lower case.

    >>> stored_names_problem(["time", "Time"], [])
    ("columns 'time' and 'Time' differ by case only", 'rename one of them')
    """
    seen = {own: own for own in taken}
    own = set(seen)
    for name in names:
        folded = name.lower()
        if folded in own:
            return f"column {name!r} is called like one of the store's own", "rename it"
        if folded in seen:
            return f"columns {seen[folded]!r} and {name!r} differ by case only", "rename one of them"
        if name == "*" or (name.startswith("^") and name.endswith("$")):
            return f"column {name!r} is called like a pattern for names", "rename it"
        seen[folded] = name
    return None


def shown(value: object) -> str:
    """Return a value as messages show it: as Python writes it, cut off where that is long.

    >>> shown("a"), shown(10**400), shown("x" * 300)[-8:]
    ("'a'", 'an integer of 1329 bits', 'xxxx ...')
    """
    if isinstance(value, int) and value.bit_length() > 256:
        return f"an integer of {value.bit_length()} bits"
    text = str(value) if isinstance(value, datetime) else repr(value)
    return text if len(text) <= LONGEST_SHOWN else f"{text[:LONGEST_SHOWN]} ..."


def one_of(name: object, known: Iterable[str]) -> str:
    """Say what could be written instead of an unknown name, the likeliest first.

    >>> one_of("sale_value", ["sales_value", "household_id"])
    "did you mean 'sales_value'? There are sales_value, household_id"
    >>> one_of("x", ["sales_value"])
    'use one of sales_value'
    """
    names = list(known)
    close = get_close_matches(str(name), names, n=1, cutoff=0.7)
    more = f" and {len(names) - MOST_LISTED} more" if len(names) > MOST_LISTED else ""
    listed = ", ".join(names[:MOST_LISTED]) + more
    return f"did you mean {close[0]!r}? There are {listed}" if close else f"use one of {listed}"
