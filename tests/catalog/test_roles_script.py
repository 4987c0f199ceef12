"""What the script of roles refuses to be written for."""

import pytest

from feature_assets.cli.roles import print_roles
from feature_store.catalog.roles import role_of, roles_script
from feature_store.errors import DefinitionError, InputError


def test_roles_of_teams_with_long_names_differ_and_fit() -> None:
    names = [f"{'a' * 61}{each}" for each in "xy"]
    roles = {role_of(name) for name in names}
    assert len(roles) == 2
    assert all(len(f"{role}_insert") <= 63 for role in roles)


def test_what_is_no_name_of_a_team_is_refused() -> None:
    with pytest.raises(DefinitionError, match="is not a valid name"):
        roles_script(["growth'; DROP TABLE head; --"])


def test_a_catalog_in_sqlite_has_no_roles(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FEATURES_CATALOG", "sqlite:////nowhere/catalog.db")
    with pytest.raises(InputError, match="lies in SQLite, which has no roles"):
        print_roles([])
