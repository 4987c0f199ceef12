"""PostgreSQL roles per team: a script after which a team's role reads all of a catalog and changes its own rows only.

Row-level policies hold for production. The layers of branches are sandboxes, which every team's role may write. Tables
are owned by whoever migrates them: the owner, superusers and roles with BYPASSRLS are bound by no policy.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from typing import Final

from feature_store.checks.declared import check_name

READERS: Final = "feature_catalog_readers"
"""The role that reads the whole catalog."""

WRITERS: Final = "feature_catalog_writers"
"""The role that writes the layers of branches, and may do whatever the roles of teams have in common."""

_PREFIX: Final = "features_"
_LONGEST: Final = 56
"""PostgreSQL cuts identifiers of more than 63 characters; policies are called after roles."""

_HEADER: Final = """\
-- Run it as the owner of the catalog's tables, again after each upgrade and for each new team. Then, for instance:
--   CREATE ROLE ada LOGIN PASSWORD '...';  GRANT {example} TO ada;
BEGIN;

DO $$
DECLARE known record;
BEGIN
  FOR known IN SELECT policyname, tablename FROM pg_policies
      WHERE schemaname = current_schema() AND policyname LIKE 'features\\_%' LOOP
    EXECUTE format('DROP POLICY %I ON %I', known.policyname, known.tablename);
  END LOOP;
END $$;
"""

_COMMON: Final = """
GRANT feature_catalog_readers TO feature_catalog_writers;
GRANT SELECT ON head, revisions, definitions, branches, alembic_version TO feature_catalog_readers;
GRANT INSERT, DELETE ON head, revisions, definitions, branches TO feature_catalog_writers;
GRANT UPDATE (revision) ON head TO feature_catalog_writers;
GRANT UPDATE (until) ON definitions TO feature_catalog_writers;
GRANT UPDATE (is_going) ON branches TO feature_catalog_writers;

ALTER TABLE head ENABLE ROW LEVEL SECURITY;
ALTER TABLE revisions ENABLE ROW LEVEL SECURITY;
ALTER TABLE definitions ENABLE ROW LEVEL SECURITY;
ALTER TABLE branches ENABLE ROW LEVEL SECURITY;

CREATE POLICY features_read ON head FOR SELECT USING (true);
CREATE POLICY features_read ON revisions FOR SELECT USING (true);
CREATE POLICY features_read ON definitions FOR SELECT USING (true);
CREATE POLICY features_read ON branches FOR SELECT USING (true);

CREATE POLICY features_branches ON head TO feature_catalog_writers USING (branch <> '') WITH CHECK (branch <> '');
CREATE POLICY features_branches ON revisions TO feature_catalog_writers USING (branch <> '') WITH CHECK (branch <> '');
CREATE POLICY features_branches ON definitions TO feature_catalog_writers
  USING (branch <> '') WITH CHECK (branch <> '');
CREATE POLICY features_branches ON branches TO feature_catalog_writers USING (true) WITH CHECK (name <> '');

-- The counter of production is the number of the newest revision.
CREATE POLICY features_begin ON head FOR INSERT TO feature_catalog_writers WITH CHECK (branch = '' AND revision = 0);
CREATE POLICY features_count ON head FOR UPDATE TO feature_catalog_writers USING (true)
  WITH CHECK (revision = (SELECT max(r.revision) FROM revisions r WHERE r.branch = head.branch));
"""

_TEAM: Final = """
GRANT feature_catalog_writers TO {role};
CREATE POLICY {role}_insert ON revisions FOR INSERT TO {role} WITH CHECK (
  branch = '' AND team = '{team}'
  AND revisions.revision = (SELECT h.revision + 1 FROM head h WHERE h.branch = ''));
CREATE POLICY {role}_insert ON definitions FOR INSERT TO {role} WITH CHECK (
  branch = '' AND owner = '{team}' AND until IS NULL
  AND (since, owner) = (SELECT r.revision, r.team FROM revisions r WHERE r.branch = '' ORDER BY r.revision DESC LIMIT 1)
  AND NOT EXISTS (
    SELECT FROM definitions d WHERE d.branch = '' AND d.until IS NULL
    AND d.kind = definitions.kind AND d.name = definitions.name AND d.owner <> '{team}'));
CREATE POLICY {role}_update ON definitions FOR UPDATE TO {role}
  USING (branch = '' AND owner = '{team}' AND until IS NULL)
  WITH CHECK (branch = '' AND owner = '{team}' AND until = (
    SELECT max(r.revision) FROM revisions r WHERE r.branch = ''));
"""

_ROLE: Final = """
DO $$ BEGIN
  IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = '{role}') THEN CREATE ROLE {role} NOLOGIN; END IF;
  EXECUTE format('GRANT USAGE ON SCHEMA %I TO {role}', current_schema());
END $$;
"""


def role_of(team: str) -> str:
    """Return the role of a team: ``features_<team>``; a name that is too long for one ends in a mark."""
    name = f"{_PREFIX}{team}"
    mark = hashlib.blake2b(team.encode(), digest_size=4).hexdigest()
    return name if len(name) <= _LONGEST else f"{name[: _LONGEST - len(mark) - 1]}_{mark}"


def roles_script(teams: Iterable[str]) -> str:
    """Return the SQL that makes the roles, and gives each the rows that it may change; it may be run again and again.

    Args:
        teams: all of the catalog. A role of a team that is not listed any more is left, and may write branches alone.

    Raises:
        DefinitionError: a name cannot be that of a team.
    """
    roles = {team: role_of(team) for team in sorted(set(teams))}
    for team in roles:
        check_name(f"team {team}", team)  # so it needs no quotes in SQL
    header = _HEADER.format(example=next(iter(roles.values()), f"{_PREFIX}team"))
    made = [_ROLE.format(role=role) for role in (READERS, WRITERS, *roles.values())]
    own = [_TEAM.format(role=role, team=team) for team, role in roles.items()]
    return "".join([header, *made, _COMMON, *own, "\nCOMMIT;\n"])
