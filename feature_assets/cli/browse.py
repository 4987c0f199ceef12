"""``list``, ``search`` and ``show``: what is recorded, or declared. They need neither Dagster nor a store."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from feature_assets.cli.known import known_definitions
from feature_assets.cli.ledger_state import ledger_state
from feature_assets.cli.output import print_fields, print_json, print_line, print_table
from feature_assets.cli.records import details
from feature_store.catalog.documents import Definition, Document, features_read
from feature_store.catalog.names import Named, find_named, unknown
from feature_store.catalog.records import Record, records_of
from feature_store.catalog.search import SearchIndex
from feature_store.errors import InputError
from resources.settings import Settings

FEATURE_KINDS = ("aggregate", "field", "derived", "on-read")
KINDS = ("feature", *FEATURE_KINDS, "view", "service")
COLUMNS = ("name", "kind", "type", "entity", "team", "description")


def list_known(team: str | None, entity: str | None, kind: str, *, as_json: bool) -> None:
    """Print what there is, narrowed to a team, an entity and a kind.

    Raises:
        InputError: nothing is of that team, entity or kind.
    """
    records = list(records_of(known_definitions()))
    _require("kind", kind, KINDS)
    if team is not None:
        _require("team", team, sorted({record["team"] for record in records}))
    if entity is not None:
        _require("entity", entity, sorted({name for record in records for name in record["entities"]}))
    kinds = FEATURE_KINDS if kind == "feature" else (kind,)
    found = [
        record
        for record in records
        if record["kind"] in kinds and team in (None, record["team"]) and entity in (None, *record["entities"])
    ]
    _print_records(found, len(found), as_json=as_json)


def search_known(words: list[str], limit: int, *, as_json: bool) -> None:
    """Print what has all the words, the best first."""
    found = SearchIndex(records_of(known_definitions())).search(words)
    if found or as_json:
        _print_records(found[:limit], len(found), as_json=as_json)
    else:
        print_line(f"No match for: {' '.join(words)}. Try fewer or shorter words, or `features list`.")


def show(name: str, at: str | None, *, as_json: bool) -> None:
    """Print everything about one view, feature or service.

    Args:
        name: of it.
        at: as of this revision or instant of the catalog; None: now, with what is computed of it.
        as_json: print JSON.
    """
    definitions = known_definitions(at)
    named = find_named(definitions, name)
    record = details(definitions, named)
    if at is None:
        record["ledger"] = _ledger(definitions, named)
    if as_json:
        print_json(record)
        return
    features: list[Record] = record.pop("features", [])
    shown = {**record, **({"ledger": _ledger_text(record["ledger"])} if at is None else {})}
    print_fields({name.replace("_", " "): value for name, value in shown.items()})
    if features:
        print_line()
        print_table(list(features[0]), [list(feature.values()) for feature in features])


def _ledger(definitions: Iterable[Definition], named: Named) -> Record | None:
    """Return what is computed of a view or feature, or of each view of a service."""
    settings, found = Settings.from_environment(), named.definition
    if found.kind == "service":
        views = {each.name: each for each in definitions if each.kind == "view"}
        read = dict.fromkeys(view for view, _ in features_read(found.document))
        return {name: ledger_state(settings, name, _fingerprints(views[name])) for name in read if name in views}
    if named.feature is None:
        return ledger_state(settings, found.name, _fingerprints(found))
    wanted = [named.feature["name"]] if named.feature["stored"] else named.feature["reads"]
    marks = _fingerprints(found)
    return ledger_state(settings, found.name, {name: marks[name] for name in wanted})


def _fingerprints(view: Definition) -> dict[str, str]:
    features: list[Document] = view.document["features"]
    return {feature["name"]: feature["fingerprint"] for feature in features if feature["stored"]}


def _ledger_text(ledger: Record | None) -> str:
    """Say what is computed of a view or feature, or of each view of a service."""
    if ledger is None:
        return "nothing computed yet"
    if "partitions" not in ledger:
        return "\n".join(f"{view}: {_ledger_text(state)}" for view, state in ledger.items())
    outdated = f", {ledger['out_of_date']} of them by another definition" if ledger["out_of_date"] else ""
    newest = f"newest as-of {ledger['newest_as_of']} ({ledger['newest_rows']} rows)"
    return f"{ledger['partitions']} partitions{outdated}, {newest}"


def _print_records(records: list[Record], found: int, *, as_json: bool) -> None:
    if as_json:
        print_json(records)
        return
    if records:
        print_table(COLUMNS, [_row(record) for record in records])
    print_line(f"{found} found" if len(records) == found else f"{len(records)} of {found} found")


def _row(record: Record) -> list[object]:
    first_sentence = record["description"].partition(".")[0] if record["kind"] == "view" else record["description"]
    return [record["name"], record["kind"], record["type"], record["entities"], record["team"], first_sentence]


def _require(what: str, name: str, known: Sequence[str]) -> None:
    if name not in known:
        error = unknown(what, name, known)
        raise InputError(f"{error} (there are {', '.join(known)})")
