"""Random sequences of applies, branches and drops, against a model that keeps every state of a layer as a dict."""

from collections.abc import Callable
from contextlib import ExitStack, closing
from dataclasses import dataclass, field
from datetime import datetime, timedelta

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from feature_store.catalog.apply import RefusedError
from feature_store.catalog.branches import UnknownBranchError
from feature_store.catalog.documents import Definition
from feature_store.catalog.store import Catalog
from tests.catalog.declared import NOW, feature, service, view

TEAMS = ("growth", "shops")
LOGIC = st.sampled_from(["sum(a)", "sum(b)"])


@st.composite
def states(draw: st.DrawFn) -> tuple[str, list[Definition]]:
    """Give a team, and all that it declares at one time."""
    team = draw(st.sampled_from(TEAMS))
    views = [
        view(f"{team}/v{number}/v1", [feature(name, draw(LOGIC)) for name in names], owner=team)
        for number, names in enumerate(
            draw(st.lists(st.sets(st.sampled_from("xyz"), min_size=1).map(sorted), max_size=2))
        )
    ]
    by_name = {each.name: each for each in views}
    readable = [(each.name, f["name"]) for each in views for f in each.document["features"]]
    services = []
    if readable and draw(st.booleans()):
        chosen = draw(st.lists(st.sampled_from(readable), min_size=1, max_size=2, unique=True))
        services.append(service(f"{team}_model/v1", by_name, chosen, owner=team))
    return team, [*views, *services]


def fingerprints(definitions: list[Definition]) -> dict[str, str]:
    return {
        f"{each.name}.{f['name']}": f["fingerprint"]
        for each in definitions
        if each.kind == "view"
        for f in each.document["features"]
    }


def outputs(definitions: list[Definition]) -> dict[str, list[tuple[str, str]]]:
    return {
        each.name: [(output["name"], output["fingerprint"]) for output in each.document["outputs"]]
        for each in definitions
        if each.kind == "service"
    }


def is_allowed(before: list[Definition], after: list[Definition]) -> bool:
    """Say, in the plainest way, whether a team may go from one state to another: its services read its views alone."""
    old, new = fingerprints(before), fingerprints(after)
    if any(new[name] != old[name] for name in old.keys() & new.keys()):
        return False
    if any(
        f"{o['view']}.{o['feature']}" not in new for e in after if e.kind == "service" for o in e.document["outputs"]
    ):
        return False
    then, now = outputs(before), outputs(after)
    return all(now[name][: len(then[name])] == then[name] for name in then.keys() & now.keys())


@dataclass
class Modelled:
    """A layer as plain data: what each team declares, and everything that was declared as of each revision."""

    held: dict[str, list[Definition]] = field(default_factory=lambda: {team: [] for team in TEAMS})
    seen: list[list[Definition]] = field(default_factory=lambda: [[]])

    def fork(self) -> "Modelled":
        return Modelled(dict(self.held), list(self.seen))

    def see(self) -> None:
        self.seen.append(sorted((d for each in self.held.values() for d in each), key=lambda d: (d.kind, d.name)))


@dataclass(frozen=True)
class Apply:
    layer: str | None
    state: tuple[str, list[Definition]]
    retires: bool


@dataclass(frozen=True)
class Begin:
    branch: str


@dataclass(frozen=True)
class Drop:
    branch: str


BRANCHES = st.sampled_from(["one", "other"])
APPLIES = st.builds(Apply, st.none() | BRANCHES, states(), st.booleans())
STEPS = st.one_of(APPLIES, APPLIES, APPLIES, st.builds(Begin, BRANCHES), st.builds(Drop, BRANCHES))


def apply(catalog: Catalog, layer: Modelled | None, step: Apply, now: datetime) -> None:
    """Apply to the catalog and to the model of a layer; None: there is no such branch, and the catalog says so."""
    team, declared = step.state
    if layer is None:
        with pytest.raises(UnknownBranchError):
            catalog.apply({team: declared}, by="x", now=now)
        return
    names = {each.name for each in declared}
    left = [each for each in layer.held[team] if each.kind == "service" and each.name not in names]
    retired = [each.name for each in left] if step.retires else []
    wanted = declared if step.retires else [*declared, *left]
    if not is_allowed(layer.held[team], wanted):
        with pytest.raises(RefusedError):
            catalog.apply({team: declared}, by="x", now=now, retire=retired)
        return
    applied = catalog.apply({team: declared}, by="x", now=now, retire=retired)
    changed = {d.text for d in layer.held[team]} != {d.text for d in wanted}
    assert bool(applied.changes) == changed
    layer.held[team] = wanted
    if changed:
        layer.see()


def check(catalog: Catalog, layer: Modelled) -> None:
    """Compare a layer with its model: every revision, what is current, and the history of each definition."""
    assert catalog.revision() == len(layer.seen) - 1
    assert [catalog.definitions(at) for at in range(len(layer.seen))] == layer.seen
    texts = [{(d.kind, d.name): d.text for d in each} for each in layer.seen]
    for kind, name in {key for each in texts for key in each}:
        told = [each.get((kind, name)) for each in texts]
        current, history = catalog.current(kind, name), catalog.history(kind, name)
        assert (None if current is None else current.text) == told[-1]
        spans = [(v.recorded.number, v.until.number if v.until else None, v.definition.text) for v in history]
        begins = [at for at in range(1, len(told)) if told[at] is not None and told[at] != told[at - 1]]
        ends = [next((at for at in range(b, len(told)) if told[at] != told[b]), None) for b in begins]
        assert spans[::-1] == [(b, e, told[b]) for b, e in zip(begins, ends, strict=True)]


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(steps=st.lists(STEPS, max_size=10))
def test_the_catalog_is_what_dicts_of_states_say_of_production_and_of_every_branch(
    new_url: Callable[[], str], steps: list[Apply | Begin | Drop]
) -> None:
    url = new_url()
    layers: dict[str | None, Modelled] = {None: Modelled()}
    with ExitStack() as stack:
        catalogs = {name: stack.enter_context(closing(Catalog(url, name))) for name in (None, "one", "other")}
        for number, step in enumerate(steps):
            now = NOW + timedelta(hours=number)
            match step:
                case Apply(layer):
                    apply(catalogs[layer], layers.get(layer), step, now)
                case Begin(branch):
                    catalogs[None].begin_branch(branch, by="x", now=now)
                    layers.setdefault(branch, layers[None].fork())
                case Drop(branch):
                    catalogs[None].note_going(branch)
                    catalogs[None].forget_branch(branch)
                    layers.pop(branch, None)
            assert {each.name for each in catalogs[None].branches()} == layers.keys() - {None}
            for name, catalog in catalogs.items():
                check(catalog, layers.get(name, layers[None]))  # what did not begin is read as production is
