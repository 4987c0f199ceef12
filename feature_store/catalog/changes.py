"""Changes between what the catalog records and what the code declares, and which of them are refused."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from feature_store.catalog.documents import Definition, Document, features_read

Action = Literal["added", "changed", "renamed", "removed"]
ChangedKind = Literal["team", "view", "feature", "service"]


@dataclass(frozen=True)
class Change:
    """One difference.

    Attributes:
        kind: of what differs: a ``team``, ``view``, ``feature`` or ``service``.
        name: of it; of a feature ``view.feature``.
        action: what happened to it.
        owner: the team that owns it.
        fields: of a changed one, the fields of the document that differ.
        before: its document as recorded; None: it is new.
        after: its document as declared; None: it is gone.
    """

    kind: ChangedKind
    name: str
    action: Action
    owner: str
    fields: tuple[str, ...] = ()
    before: Document | None = None
    after: Document | None = None

    @property
    def changes_values(self) -> bool:
        """Whether the same name means other values than before."""
        return self.kind == "feature" and self.action == "changed" and "fingerprint" in self.fields


@dataclass(frozen=True)
class Refusal:
    """A change that cannot be applied.

    Attributes:
        name: of what changed.
        problem: why it is refused.
        instead: what to do.
        redefines: whether a name would mean something else than before; of the others, somebody would miss something.
    """

    name: str
    problem: str
    instead: str
    redefines: bool = False

    def __str__(self) -> str:
        return f"{self.name}: {self.problem}. Instead: {self.instead}."


def compare(recorded: Iterable[Definition], declared: Iterable[Definition]) -> list[Change]:
    """Return what differs, in the order of kinds and names; features follow their view.

    Args:
        recorded: as the catalog knows them.
        declared: as the code says now.
    """
    before = {(each.kind, each.name): each for each in recorded}
    after = {(each.kind, each.name): each for each in declared}
    changes: list[Change] = []
    for key in sorted(before.keys() | after.keys()):
        changes += _compare_one(before.get(key), after.get(key))
    return changes


def refusals(changes: Sequence[Change], others: Iterable[Definition]) -> list[Refusal]:
    """Return why changes cannot be applied; empty: they can.

    Args:
        changes: all that would be applied together.
        others: everything that is recorded or declared once they are applied, of every team: what reads what.
    """
    reading = _readers_of(others)
    return [refusal for change in changes for refusal in _refuse(change, reading)]


def _compare_one(before: Definition | None, after: Definition | None) -> Iterator[Change]:
    either = after or before
    assert either is not None
    kind, name, owner = either.kind, either.name, either.owner
    old = None if before is None else before.document
    new = None if after is None else after.document
    if before is None or after is None:
        yield Change(kind, name, "added" if before is None else "removed", owner, (), old, new)
    elif before.digest != after.digest:
        fields = tuple(field for field in _differing(before.document, after.document) if field != "features")
        reordered = list(_features(old)) != list(_features(new)) and _features(old).keys() == _features(new).keys()
        fields += ("order of features",) if reordered else ()
        if fields:
            yield Change(kind, name, "changed", owner, fields, old, new)
    if kind == "view" and (before is None or after is None or before.digest != after.digest):
        yield from _compare_features(name, owner, _features(old), _features(new))


def _compare_features(
    view: str, owner: str, before: Mapping[str, Document], after: Mapping[str, Document]
) -> Iterator[Change]:
    renamed = {
        new["renamed_from"]: name
        for name, new in after.items()
        if name not in before and new["renamed_from"] in before and new["renamed_from"] not in after
    }
    for name in (*after, *(name for name in before if name not in after)):
        old, new = before.get(name), after.get(name)
        if old is None and new is not None and new["renamed_from"] in renamed:
            former = before[new["renamed_from"]]
            yield Change("feature", f"{view}.{name}", "renamed", owner, _differing(former, new), former, new)
        elif old is None:
            yield Change("feature", f"{view}.{name}", "added", owner, (), None, new)
        elif new is None and name not in renamed:
            yield Change("feature", f"{view}.{name}", "removed", owner, (), old, None)
        elif new is not None and old != new:
            yield Change("feature", f"{view}.{name}", "changed", owner, _differing(old, new), old, new)


def _refuse(change: Change, reading: Mapping[str, Sequence[str]]) -> Iterator[Refusal]:
    readers = ", ".join(reading.get(change.name, ()))
    if change.changes_values:
        assert change.before is not None
        assert change.after is not None
        problem = f"means other values under the same version: {_logic(change.before)} became {_logic(change.after)}"
        yield Refusal(change.name, problem, "leave it as it was and declare a new version of the view", redefines=True)
    if change.action == "renamed" and "fingerprint" in change.fields:
        yield Refusal(
            change.name,
            "is renamed and changed at once",
            "rename it without changing it, or drop renamed_from=",
            redefines=True,
        )
    if change.action == "removed" and change.kind in ("view", "feature") and readers:
        yield Refusal(change.name, f"is read by {readers}", "have these services read something else first")
    if change.kind == "service" and change.action == "changed":
        yield from _refuse_outputs(change)


def _refuse_outputs(change: Change) -> Iterator[Refusal]:
    assert change.before is not None
    assert change.after is not None
    before, after = change.before["outputs"], change.after["outputs"]
    names = [output["name"] for output in before]
    kept = [output["name"] for output in after[: len(before)]]
    missing = [name for name in names if name not in [output["name"] for output in after]]
    instead = "add outputs at the end only, or declare a new version of the service"
    if missing:
        yield Refusal(
            change.name, f"no longer gives {', '.join(missing)} under the same version", instead, redefines=True
        )
    elif kept != names:
        yield Refusal(change.name, "gives its outputs in another order under the same version", instead, redefines=True)
    else:
        other = [old["name"] for old, new in zip(before, after, strict=False) if not _same_output(old, new)]
        if other:
            problem = f"gives other features under the same version: {', '.join(other)}"
            yield Refusal(change.name, problem, instead, redefines=True)
    # Services recorded before there were inputs have none.
    yield from _refuse_inputs(change.name, change.before.get("inputs", {}), change.after.get("inputs", {}))


def _refuse_inputs(name: str, before: Mapping[str, Document], after: Mapping[str, Document]) -> Iterator[Refusal]:
    """Refuse inputs that callers must give from now on, must give otherwise, or may not give any more."""
    instead = "give a new input a default, or declare a new version of the service"
    gone = [each for each in before if each not in after]
    other = [each for each in before if each in after and not _same_input(before[each], after[each])]
    new = [each for each in after if each not in before and after[each]["default"] is None]
    for names, problem in ((gone, "no longer takes"), (other, "takes otherwise"), (new, "must be given")):
        if names:
            what = f"{problem} {', '.join(names)} under the same version"
            yield Refusal(name, what, instead, redefines=True)


def _same_input(before: Document, after: Document) -> bool:
    return all(before[field] == after[field] for field in ("dtype", "default"))


def _same_output(before: Document, after: Document) -> bool:
    # A feature that was renamed keeps its fingerprint, and so its values.
    return all(before[field] == after[field] for field in ("dtype", "view", "fingerprint"))


def _readers_of(definitions: Iterable[Definition]) -> dict[str, list[str]]:
    """Return the services that read each view and each ``view.feature``."""
    reading: dict[str, list[str]] = {}
    for each in definitions:
        if each.kind == "service":
            reads = features_read(each.document)
            names = {view for view, _ in reads} | {f"{view}.{feature}" for view, feature in reads}
            for name in names:
                reading.setdefault(name, []).append(f"service {each.name} ({each.owner})")
    return {name: sorted(services) for name, services in reading.items()}


def _features(document: Document | None) -> dict[str, Document]:
    return {feature["name"]: feature for feature in (document or {}).get("features", ())}


def _differing(before: Document, after: Document) -> tuple[str, ...]:
    return tuple(field for field in {**before, **after} if before.get(field) != after.get(field))


def _logic(feature: Document) -> str:
    default = "" if feature["default"] is None else f" default {feature['default']}"
    return f"{feature['logic']} as {feature['dtype']}{default}"
