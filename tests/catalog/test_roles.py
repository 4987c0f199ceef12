"""PostgreSQL roles per team: a team's role reads everything, applies for its own team, and can change nothing else."""

import subprocess
from collections.abc import Callable
from contextlib import closing
from datetime import UTC, datetime

import pytest
import sqlalchemy as sa

from feature_assets.cli.roles import print_roles
from feature_store.catalog.database import CatalogError
from feature_store.catalog.roles import READERS, role_of, roles_script
from feature_store.catalog.store import Catalog
from tests.catalog.declared import NOW, feature, service, view
from tests.fixtures.servers.postgres import Postgres

pytestmark = [pytest.mark.engines, pytest.mark.xdist_group("postgres")]

SPEND = view("retail/spend/v1", [feature("spend", "sum(a)"), feature("visits", "count()")])
TRAFFIC = view("shops/traffic/v1", [feature("traffic", "count()")], owner="shops")

FORBIDDEN = {
    "a version of another team": """INSERT INTO definitions SELECT branch, kind, name, 2, until, owner, digest, document
        FROM definitions WHERE owner = 'growth'""",
    "a name that another team has": """INSERT INTO revisions VALUES ('', 3, 1, 'sam', 'shops');
        INSERT INTO definitions SELECT branch, kind, name, 3, until, 'shops', digest, document
        FROM definitions WHERE owner = 'growth'""",
    "a version of its own without a revision": """INSERT INTO definitions
        SELECT branch, kind, name || 'x', 1, until, owner, digest, document FROM definitions WHERE owner = 'shops'""",
    "a revision of another team": "INSERT INTO revisions VALUES ('', 3, 1, 'sam', 'growth')",
    "a revision that leaves some out": "INSERT INTO revisions VALUES ('', 9, 1, 'sam', 'shops')",
    "the counter of revisions": "UPDATE head SET revision = 9 WHERE branch = ''",
    "what it recorded itself": "UPDATE definitions SET document = '{}' WHERE owner = 'shops'",
    "who owns what": "UPDATE definitions SET owner = 'shops' WHERE owner = 'growth'",
    "the number of a migration": "UPDATE alembic_version SET version_num = '0000'",
    "a table": "DROP TABLE definitions",
}
WITHOUT_EFFECT = {
    "another team's current version": "UPDATE definitions SET until = 2 WHERE owner = 'growth'",
    "rows of production": "DELETE FROM definitions WHERE branch = ''",
    "its own history": "DELETE FROM revisions WHERE team = 'shops' AND branch = ''",
    "the counter": "DELETE FROM head WHERE branch = ''",
}


@pytest.fixture
def url_of(postgres: Postgres) -> Callable[[str], str]:
    """Gives the URL of one catalog, filled by its owner, for a login of each team's role and of a reader."""
    owned = postgres.new_database()
    with closing(Catalog(owned)) as catalog:
        catalog.apply({"growth": [SPEND]}, by="ada", now=NOW)
        catalog.apply({"shops": [TRAFFIC]}, by="sam", now=NOW)
    name = sa.make_url(owned).database
    assert name is not None
    for _ in range(2):  # it may be run again
        postgres.psql(roles_script(["growth", "shops", "new"]), name)

    def url(role: str) -> str:
        login = f"{role}_{name}"
        made = f"CREATE ROLE {login} LOGIN; GRANT {role} TO {login}"
        if not postgres.psql(f"SELECT 1 FROM pg_roles WHERE rolname = '{login}'"):
            postgres.psql(made)
        return owned.replace("postgres@", f"{login}@")

    return url


def executed(url: str, statements: str) -> int:
    """Run statements in one transaction; return how many rows the last one changed."""
    engine = sa.create_engine(url)
    try:
        with engine.begin() as connection:
            return connection.exec_driver_sql(statements).rowcount
    finally:
        engine.dispose()


def test_a_team_applies_its_own_and_reads_everything(url_of: Callable[[str], str]) -> None:
    changed = view(SPEND.name, [*SPEND.document["features"], feature("returns", "count()")])
    reads = service("offers/v1", {TRAFFIC.name: TRAFFIC}, [(TRAFFIC.name, "traffic")], owner="new")
    with closing(Catalog(url_of(role_of("growth")))) as growth, closing(Catalog(url_of(role_of("new")))) as new:
        assert growth.apply({"growth": [changed]}, by="ada", now=NOW).revision == 3
        assert growth.apply({"growth": [SPEND]}, by="ada", now=NOW).revision == 4
        assert new.apply({"new": [reads]}, by="eve", now=NOW).revision == 5
        for catalog in (growth, new):
            assert catalog.definitions() == [reads, SPEND, TRAFFIC]
            assert [each.definition for each in catalog.history("view", SPEND.name)] == [SPEND, changed, SPEND]


def test_a_team_applies_for_no_other(url_of: Callable[[str], str]) -> None:
    others = view(TRAFFIC.name, [*TRAFFIC.document["features"], feature("more", "count()")], owner="shops")
    with closing(Catalog(url_of(role_of("growth")))) as catalog:
        for declared in (
            {"shops": [others]},
            {"shops": []},
            {"unknown": [view("x/y/v1", [feature("z")], owner="unknown")]},
            {"growth": [view(SPEND.name, [feature("spend", "sum(a)")])], "shops": [others]},
        ):
            with pytest.raises(CatalogError, match="this role may change what its own team owns"):
                catalog.apply(declared, by="ada", now=NOW)
        assert (catalog.revision(), catalog.definitions()) == (2, [SPEND, TRAFFIC])


@pytest.mark.parametrize("what", FORBIDDEN)
def test_statements_that_change_what_it_does_not_own_are_refused(url_of: Callable[[str], str], what: str) -> None:
    with pytest.raises(sa.exc.ProgrammingError, match=r"row-level security policy|permission denied|must be owner"):
        executed(url_of(role_of("shops")), FORBIDDEN[what])


def test_statements_find_no_rows_that_it_may_not_change(url_of: Callable[[str], str]) -> None:
    url = url_of(role_of("shops"))
    assert {what: executed(url, statement) for what, statement in WITHOUT_EFFECT.items()} == dict.fromkeys(
        WITHOUT_EFFECT, 0
    )
    assert Catalog(url).definitions() == [SPEND, TRAFFIC]


def test_every_team_begins_writes_and_drops_branches(url_of: Callable[[str], str]) -> None:
    url, other = url_of(role_of("growth")), view(SPEND.name, [feature("spend", "sum(b)")])
    with closing(Catalog(url)) as catalog, closing(Catalog(url, "try")) as on_it:
        catalog.begin_branch("try", by="ada", now=datetime.now(UTC))
        on_it.apply({"growth": [other]}, by="ada", now=NOW, allow_redefined=True)
        on_it.note_view(view(TRAFFIC.name, [feature("traffic", "sum(b)")], owner="shops"), by="ada", now=NOW)
        assert on_it.revision() == 4
        assert catalog.definitions() == [SPEND, TRAFFIC]
        catalog.note_going("try")
        catalog.forget_branch("try")
        assert (catalog.branches(), catalog.revision()) == ([], 2)


def test_who_only_reads_changes_nothing(url_of: Callable[[str], str]) -> None:
    with closing(Catalog(url_of(READERS))) as catalog:
        assert catalog.definitions() == [SPEND, TRAFFIC]
        with pytest.raises(CatalogError, match="permission denied"):
            catalog.apply({"growth": []}, by="eve", now=NOW)


def test_a_team_that_is_listed_no_more_changes_nothing(url_of: Callable[[str], str], postgres: Postgres) -> None:
    url = url_of(role_of("growth"))
    postgres.psql(roles_script(["shops"]), sa.make_url(url).database or "")
    with closing(Catalog(url)) as catalog, pytest.raises(CatalogError, match="may change what its own team owns"):
        catalog.apply({"growth": []}, by="ada", now=NOW)


def test_the_command_prints_a_script_that_psql_runs(
    url_of: Callable[[str], str],
    postgres: Postgres,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    url = url_of(READERS)
    monkeypatch.setenv("FEATURES_CATALOG", url)
    print_roles(["arrivals"])
    script = capsys.readouterr().out
    made = [role_of(team) for team in ("arrivals", "growth", "shops")]
    assert [role for role in made if f"CREATE ROLE {role} " in script] == made
    command = ["psql", "-X", "-q", "-v", "ON_ERROR_STOP=1", "-h", "127.0.0.1", "-p", str(postgres.port)]
    database = sa.make_url(url).database or ""
    subprocess.run([*command, "-U", "postgres", "-d", database], input=script, text=True, check=True)
