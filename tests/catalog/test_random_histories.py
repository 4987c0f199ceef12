"""Random sequences of applies, against a model that keeps every state as a dict."""

from collections.abc import Callable
from contextlib import closing
from datetime import timedelta

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from feature_store.catalog.documents import Definition
from feature_store.catalog.store import Catalog, RefusedError
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


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(applies=st.lists(st.tuples(states(), st.booleans()), max_size=8))
def test_the_catalog_is_what_a_dict_of_states_says(
    new_url: Callable[[], str], applies: list[tuple[tuple[str, list[Definition]], bool]]
) -> None:
    with closing(Catalog(new_url())) as catalog:
        held: dict[str, list[Definition]] = {team: [] for team in TEAMS}
        seen: list[list[Definition]] = [[]]
        for number, ((team, declared), retires) in enumerate(applies):
            now = NOW + timedelta(hours=number)
            names = {each.name for each in declared}
            left = [each for each in held[team] if each.kind == "service" and each.name not in names]
            retired = [each.name for each in left] if retires else []
            wanted = declared if retires else [*declared, *left]
            if not is_allowed(held[team], wanted):
                try:
                    catalog.apply({team: declared}, by="x", now=now, retire=retired)
                except RefusedError:
                    pass
                else:
                    raise AssertionError("was applied, and must not be")
            else:
                applied = catalog.apply({team: declared}, by="x", now=now, retire=retired)
                changed = {d.text for d in held[team]} != {d.text for d in wanted}
                assert bool(applied.changes) == changed
                held[team] = wanted
                if changed:
                    seen.append(sorted((d for each in held.values() for d in each), key=lambda d: (d.kind, d.name)))
            assert catalog.revision() == len(seen) - 1
        assert [catalog.definitions(at) for at in range(len(seen))] == seen
