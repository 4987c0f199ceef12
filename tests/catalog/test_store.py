"""Applying definitions to the catalog: versions, owners, conflicts, refusals; what is recorded stays readable."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa

from feature_store.catalog.apply import ConflictError, RefusedError
from feature_store.catalog.backup import read_backup, write_backup
from feature_store.catalog.database import CatalogError, open_engine
from feature_store.catalog.store import Catalog
from feature_store.errors import InputError, OwnershipError
from tests.catalog.declared import NOW, feature, service, view

ONE = view("retail/spend/v1", [feature("spend", "sum(a)")])
TWO = view("retail/spend/v1", [feature("spend", "sum(a)"), feature("visits", "count()")])
THEIRS = view("shops/traffic/v1", [feature("traffic", "count()")], owner="shops")


def test_an_apply_is_a_revision_and_an_apply_of_the_same_is_none(catalog: Catalog) -> None:
    assert (catalog.revision(), catalog.definitions()) == (0, [])
    first = catalog.apply({"growth": [ONE]}, by="ada", now=NOW)
    again = catalog.apply({"growth": [ONE]}, by="bob", now=NOW)
    assert (first.revision, again.revision, again.changes) == (1, 1, ())
    assert catalog.definitions() == [ONE]
    assert [(r.number, r.applied_by, r.team, r.applied_at) for r in catalog.revisions()] == [(1, "ada", "growth", NOW)]


def test_every_version_stays_readable_by_revision_and_by_instant(catalog: Catalog) -> None:
    day = timedelta(days=1)
    for number, declared in enumerate([[ONE], [TWO], [], [ONE]]):
        catalog.apply({"growth": declared}, by="ada", now=NOW + number * day)
    assert [catalog.definitions(at) for at in range(5)] == [[], [ONE], [TWO], [], [ONE]]
    instants = [NOW - day, NOW, NOW + 1.5 * day, NOW + 2 * day, NOW + 9 * day]
    assert [catalog.definitions(at) for at in instants] == [[], [ONE], [TWO], [], [ONE]]
    versions = catalog.history("view", ONE.name)
    spans = [(v.definition, v.recorded.number, v.until and v.until.number) for v in versions]
    assert spans == [(ONE, 4, None), (TWO, 2, 3), (ONE, 1, 2)]
    assert catalog.ever_declared() == [ONE]


def test_a_revision_that_never_was_and_an_instant_without_a_zone_are_errors(catalog: Catalog) -> None:
    with pytest.raises(InputError, match="no revision 7: the newest is 0"):
        catalog.definitions(7)
    with pytest.raises(InputError, match="no time zone"):
        catalog.definitions(datetime(2026, 1, 1))


def test_a_team_changes_its_own_definitions_only(catalog: Catalog) -> None:
    catalog.apply({"growth": [ONE]}, by="ada", now=NOW)
    catalog.apply({"shops": [THEIRS]}, by="sam", now=NOW)
    assert catalog.definitions() == [ONE, THEIRS]
    taken = view(ONE.name, [feature("spend", "sum(a)")], owner="shops")
    for declared in ([ONE], [taken]):
        with pytest.raises(OwnershipError, match=r"retail/spend/v1 belongs to team growth"):
            catalog.apply({"shops": declared}, by="sam", now=NOW)
    assert catalog.definitions() == [ONE, THEIRS]


def test_what_is_refused_records_nothing(catalog: Catalog) -> None:
    catalog.apply({"growth": [ONE]}, by="ada", now=NOW)
    other = view(ONE.name, [feature("spend", "sum(b)")])
    with pytest.raises(RefusedError, match="means other values under the same version"):
        catalog.apply({"growth": [other, view("retail/new/v1", [feature("n")])]}, by="ada", now=NOW)
    assert (catalog.revision(), catalog.definitions()) == (1, [ONE])
    assert catalog.apply({"growth": [other]}, by="ada", now=NOW, allow_redefined=True).revision == 2


def test_a_service_of_another_team_keeps_what_it_reads(catalog: Catalog) -> None:
    catalog.apply({"growth": [ONE]}, by="ada", now=NOW)
    offers = service("offers/v1", {ONE.name: ONE}, [(ONE.name, "spend")], owner="shops")
    catalog.apply({"shops": [offers]}, by="sam", now=NOW)
    with pytest.raises(RefusedError, match=r"is read by service offers/v1 \(shops\)"):
        catalog.apply({"growth": []}, by="ada", now=NOW)


def test_an_apply_of_the_same_team_after_the_plan_is_a_conflict_that_shows_it(catalog: Catalog) -> None:
    catalog.apply({"growth": [ONE]}, by="ada", now=NOW)
    catalog.apply({"shops": [THEIRS]}, by="sam", now=NOW)
    assert catalog.apply({"growth": [TWO]}, by="bob", now=NOW, planned_at=1).revision == 3
    with pytest.raises(ConflictError, match=r"bob applied revision 3 .* added feature retail/spend/v1\.visits"):
        catalog.apply({"growth": [ONE]}, by="ada", now=NOW, planned_at=2)


def test_a_database_of_a_newer_release_is_left_alone(url: str) -> None:
    Catalog(url).close()
    engine = sa.create_engine(url)
    with engine.begin() as connection:
        connection.execute(sa.text("UPDATE alembic_version SET version_num = '9999'"))
    engine.dispose()
    with pytest.raises(CatalogError, match="of a newer release"):
        Catalog(url)


@pytest.mark.parametrize(
    ("url", "message"),
    [
        ("mysql://u@h/d", "is no URL of a database"),
        ("catalog.db", "is no URL of a database"),
        ("sqlite://", "is no URL of a database"),
        ("postgresql+nothing://u@h/d", "is no URL of a database"),
    ],
)
def test_a_url_of_no_database_is_named_without_its_password(url: str, message: str) -> None:
    with pytest.raises(InputError, match=message):
        Catalog(url)


def test_a_file_that_is_no_database_is_an_error_of_ours(tmp_path: Path) -> None:
    (tmp_path / "catalog.db").write_text("not a database, but text that is long enough to be looked at")
    with pytest.raises(CatalogError, match="not a database"):
        Catalog(f"sqlite:///{tmp_path}/catalog.db")


def test_times_are_utc_to_the_microsecond(catalog: Catalog) -> None:
    late = datetime(2026, 11, 2, 23, 59, 59, 999_999, tzinfo=UTC)
    catalog.apply({"growth": [ONE]}, by="ada", now=late)
    assert catalog.revisions("growth")[0].applied_at == late
    assert catalog.revisions("shops") == []


def test_several_teams_are_applied_in_one_transaction_with_a_revision_each(catalog: Catalog) -> None:
    applied = catalog.apply({"growth": [ONE], "shops": [THEIRS], "idle": []}, by="ada", now=NOW)
    assert (applied.revision, [(r.number, r.team) for r in catalog.revisions()]) == (2, [(2, "shops"), (1, "growth")])
    other = view(ONE.name, [feature("spend", "sum(b)")])
    with pytest.raises(RefusedError):
        catalog.apply({"growth": [other], "shops": []}, by="ada", now=NOW)
    assert (catalog.revision(), catalog.definitions()) == (2, [ONE, THEIRS])


def test_a_service_that_is_declared_no_more_stays_until_it_is_retired(catalog: Catalog) -> None:
    churn = service("churn/v1", {ONE.name: ONE}, [(ONE.name, "spend")])
    catalog.apply({"growth": [ONE, churn]}, by="ada", now=NOW)
    kept = catalog.apply({"growth": [ONE]}, by="ada", now=NOW)
    assert (kept.revision, kept.changes, kept.undeclared) == (1, (), ("churn/v1",))
    with pytest.raises(RefusedError, match=r"is read by service churn/v1 \(growth\)"):
        catalog.apply({"growth": []}, by="ada", now=NOW)
    with pytest.raises(InputError, match="churn/v1 is declared: remove it from the code"):
        catalog.apply({"growth": [ONE, churn]}, by="ada", now=NOW, retire=["churn/v1"])
    with pytest.raises(InputError, match=r"no service 'chrn/v1' .* there are churn/v1"):
        catalog.apply({"growth": [ONE]}, by="ada", now=NOW, retire=["chrn/v1"])
    retired = catalog.apply({"growth": [ONE]}, by="ada", now=NOW, retire=["churn/v1"])
    assert ([change.action for change in retired.changes], catalog.definitions()) == (["removed"], [ONE])


def test_a_plan_says_what_an_apply_would_do_and_records_nothing(catalog: Catalog) -> None:
    catalog.apply({"growth": [ONE]}, by="ada", now=NOW)
    plan = catalog.plan({"growth": [TWO]})
    assert (plan.revision, plan.refused, catalog.definitions()) == (1, (), [ONE])
    assert plan.changes == catalog.apply({"growth": [TWO]}, by="ada", now=NOW).changes


def test_a_backup_fills_any_other_database(new_url: Callable[[], str], tmp_path: Path) -> None:
    """Every version, out of one database and into a new one of the same kind; and into SQLite."""
    url = new_url()
    filled = Catalog(url)
    for declared in ([ONE], [TWO], []):
        filled.apply({"growth": declared}, by="ada", now=NOW)
    backup = tmp_path / "backup.jsonl"
    write_backup(open_engine(url), backup)
    for other in (new_url(), f"sqlite:///{tmp_path}/elsewhere.db"):
        assert read_backup(open_engine(other), backup) == 3
        restored = Catalog(other)
        assert restored.revisions() == filled.revisions()
        assert restored.history("view", ONE.name) == filled.history("view", ONE.name)
        assert restored.apply({"growth": [ONE]}, by="ada", now=NOW).revision == 4
