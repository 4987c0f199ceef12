"""Changes as people and programs read them: in the terminal, in a pull request, as JSON."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from feature_assets.cli.output import print_line, print_table
from feature_store.catalog.changes import Change
from feature_store.catalog.documents import Document

_HIDDEN = ("features", "plan")
"""Fields whose values are shown elsewhere, or by nobody read."""


def print_changes(changes: Sequence[Change]) -> None:
    """Print changes as a table; without any, that nothing changed."""
    if not changes:
        print_line("Nothing changed.")
        return
    rows = [
        [change.action, change.kind, change.name, change.owner, "; ".join(differences(change))] for change in changes
    ]
    print_table(["change", "kind", "name", "team", "what"], rows)


def differences(change: Change) -> list[str]:
    """Return what is new or differs, a line per field: the old value and the new one.

    >>> differences(Change("view", "n/v/v1", "changed", "team", ("ttl",), {"ttl": "3d"}, {"ttl": None}))
    ['ttl: 3d -> none']
    """
    if change.action in ("added", "removed"):
        held = change.after or change.before
        return [] if held is None else [summary_of(change.kind, held)]
    before, after = change.before or {}, change.after or {}
    lines = [] if change.action != "renamed" else [f"from {before['name']}"]
    if "fingerprint" in change.fields:
        lines.append(f"{logic_of(before)} -> {logic_of(after)}")
    told = ("fingerprint", "logic", "meaning", "dtype", "default", "name", "renamed_from") if "logic" in after else ()
    for field in change.fields:
        if field in _HIDDEN:
            lines.append(field)
        elif field == "outputs":
            lines += _outputs(before[field], after[field])
        elif isinstance(before.get(field), dict) and isinstance(after.get(field), dict):
            lines += _parts(field, before[field], after[field])
        elif field not in told:
            lines.append(f"{field}: {_shown(before.get(field))} -> {_shown(after.get(field))}")
    return lines


def logic_of(feature: Document) -> str:
    """Return how a feature is computed, its type and its default."""
    default = "" if feature["default"] is None else f" default {feature['default']}"
    return f"{feature['logic']} as {feature['dtype']}{default}"


def summary_of(kind: str, document: Document) -> str:
    """Return the gist of a new or removed thing, on one line."""
    if kind == "feature":
        return logic_of(document)
    if kind == "view":
        entity, source = document["entity"]["name"], document["source"]["asset"]
        return f"{counted(len(document['features']), 'feature')} of {entity} from {source}"
    if kind == "service":
        return counted(len(document["outputs"]), "output")
    return document["slack_channel"]


def change_record(change: Change) -> dict[str, Any]:
    """Return a change as JSON."""
    return {
        "change": change.action,
        "kind": change.kind,
        "name": change.name,
        "team": change.owner,
        "fields": list(change.fields),
        "what": differences(change),
        "changes_values": change.changes_values,
    }


def _outputs(before: Sequence[Document], after: Sequence[Document]) -> Iterable[str]:
    """Say which outputs of a service are new, gone, in another place, or of another feature."""
    old, new = ({output["name"]: output for output in outputs} for outputs in (before, after))
    yield from (f"new output {name}" for name in new if name not in old)
    yield from (f"output {name} is gone" for name in old if name not in new)
    yield from (f"output {name} is another feature" for name in new if name in old and old[name] != new[name])
    if [name for name in old if name in new] != [name for name in new if name in old]:
        yield "outputs in another order"


def _parts(field: str, before: Document, after: Document) -> Iterable[str]:
    for part in {**before, **after}:
        if before.get(part) != after.get(part):
            yield f"{field} {part}: {_shown(before.get(part))} -> {_shown(after.get(part))}"


def _shown(value: object) -> str:
    if isinstance(value, list | tuple):
        return ", ".join(map(str, value)) or "none"
    return "none" if value is None else str(value)


def counted(number: int, what: str) -> str:
    """Return a number with its noun.

    >>> counted(1, "partition"), counted(2, "partition")
    ('1 partition', '2 partitions')
    """
    return f"{number:,} {what}{'' if number == 1 else 's'}"


def joined(names: Iterable[str]) -> str:
    """Return names in a row, each once; of none, a dash."""
    return ", ".join(dict.fromkeys(names)) or "-"
