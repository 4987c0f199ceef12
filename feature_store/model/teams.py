"""Teams: who owns views and services, and where their alerts go."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from feature_store.checks.calls import declared_by_call
from feature_store.checks.declared import check_name, check_names_list, check_type, one_of
from feature_store.errors import DefinitionError

EVERYONE = "everyone"
"""The reader that stands for all teams."""

_TEAMS: dict[str, Team] = {}


@declared_by_call
@dataclass(frozen=True)
class Team:
    """A team. Declaring it makes its name known to ``owner=`` and ``readers=``.

    Attributes:
        name: short name, used in ``owner=``.
        slack_channel: where its alerts go, e.g. ``#growth-features``.
        email: how people reach it.

    Raises:
        DefinitionError: an option is wrong, or the name was declared with other options before.
    """

    name: str
    slack_channel: str
    email: str

    def __post_init__(self) -> None:
        where = f"team {self.name}"
        check_name(where, self.name)
        if self.name == EVERYONE:
            raise DefinitionError(where, "is the reader that stands for all teams", "give the team another name")
        if not _is_text(r"\S+", self.slack_channel):
            raise DefinitionError(
                where, f"slack_channel={self.slack_channel!r} is no channel", "write '#growth-alerts'"
            )
        if not _is_text(r"[^@\s]+@[^@\s]+", self.email):
            raise DefinitionError(where, f"email={self.email!r} is no address", "write 'growth@example.com'")
        if _TEAMS.setdefault(self.name, self) != self:
            raise DefinitionError(where, "is declared twice, differently", "declare each team once")


def team(name: str, where: str) -> Team:
    """Return a declared team.

    Raises:
        DefinitionError: nobody declared it; ``where`` names the object that asks.
    """
    if name not in _TEAMS:
        known = one_of(name, sorted(_TEAMS)) if _TEAMS else "there is none yet"
        declare = f"declare Team({name!r}, slack_channel=..., email=...) before it is used"
        raise DefinitionError(where, f"unknown team {name!r}", f"{known}; or {declare}")
    return _TEAMS[name]


def check_access(where: str, owner: str, readers: Sequence[str]) -> None:
    """Refuse owners and readers that no team is called."""
    check_type(where, "owner", owner, str, "write the name of one team")
    check_names_list(where, "readers", readers)
    for name in (owner, *(reader for reader in readers if reader != EVERYONE)):
        team(name, where)


def _is_text(pattern: str, value: object) -> bool:
    return isinstance(value, str) and re.fullmatch(pattern, value) is not None
