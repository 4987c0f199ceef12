"""``explain``: why a feature has the value that it has."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from feature_assets.cli.declared import declared
from feature_assets.cli.inputs import parse_inputs
from feature_assets.cli.keys import parse_keys
from feature_assets.cli.names import FeatureOfView, find, find_request_feature
from feature_assets.cli.output import print_fields, print_json, print_line, print_table
from feature_assets.cli.times import parse_time
from feature_assets.explain import Explanation, explain
from feature_assets.explain.explanation import Event, Listing, PartitionFacts, Read, Sides, Tile, WindowContents
from feature_assets.explain.request_features import RequestExplanation, explain_request_feature
from feature_assets.parity.text import iso, plain_text
from feature_assets.project.clock import now
from feature_store import FeatureService
from feature_store.engines.numpy.compile_service import compile_plan
from feature_store.errors import InputError
from feature_store.model.request_features import ComputedFeature
from resources.branch import open_store
from resources.online import running_url
from resources.settings import Settings


def explain_feature(
    name: str, key_texts: Sequence[str], at: str | None, most: int, input_texts: Sequence[str] = (), *, as_json: bool
) -> None:
    """Print why a feature of one entity has its value at a time.

    Raises:
        InputError: the name is no feature, the keys are not those of one entity, or the time is none.
    """
    declarations = declared()
    computed = find_request_feature(declarations, name)
    if computed is not None:
        _explain_request(*computed, key_texts, at, input_texts, as_json=as_json)
        return
    if input_texts:
        raise InputError(f"--input: {name} is no request feature, which alone read inputs")
    found = find(declarations, name)
    if not isinstance(found, FeatureOfView):
        raise InputError(f"{name} is not a single feature: write view.feature; `features show {name}` lists them")
    keys = _one_entity(parse_keys(key_texts, found.view.entity.keys))
    time = now() if at is None else parse_time(at)
    settings = Settings.from_environment()
    store = open_store(settings)
    explanation = explain(store, found.view, found.feature, keys, time, running_url(settings), most)
    if as_json:
        print_json(explanation.to_record())
    else:
        print_explanation(explanation)


def _explain_request(
    service: FeatureService,
    output: ComputedFeature,
    key_texts: Sequence[str],
    at: str | None,
    input_texts: Sequence[str],
    *,
    as_json: bool,
) -> None:
    keys = _one_entity(parse_keys(key_texts, service.keys))
    inputs = parse_inputs(input_texts, compile_plan(service), 1) or {}
    missing = [name for name in output.inputs if name not in inputs and service.request_inputs[name].default is None]
    if missing:
        raise InputError(f"input {missing[0]!r} is missing: write --input {missing[0]}=...")
    settings = Settings.from_environment()
    store = open_store(settings)
    request = {**keys, **{name: values[0] for name, values in inputs.items()}}
    time = now() if at is None else parse_time(at)
    explanation = explain_request_feature(store, service, output, request, time, running_url(settings))
    if as_json:
        print_json(explanation.to_record())
    else:
        print_request_explanation(explanation)


def print_request_explanation(explanation: RequestExplanation) -> None:
    """Print the explanation of a request feature as tables."""
    online = explanation.online_note if explanation.online is None else str(explanation.online)
    print_fields(
        {
            "feature": explanation.feature,
            "computed as": f"{explanation.logic} -> {explanation.dtype}",
            "with values": explanation.values,
            "request": explanation.keys,
            "T": iso(explanation.time),
        }
    )
    _heading("Value")
    verdict = "same" if explanation.agree else "DIFFERENT"
    sides = {"recomputed": str(explanation.recomputed), "offline": str(explanation.offline), "online": online}
    print_fields({**sides, "verdict": verdict})
    _heading("Inputs")
    print_table(["input", "value"], [[name, plain_text(value)] for name, value in explanation.inputs.items()])
    _heading("Reads")
    print_table(
        ["feature", "entity", "value"], [[each.feature, each.keys, str(each.value)] for each in explanation.reads]
    )


def print_explanation(explanation: Explanation) -> None:
    """Print an explanation as tables."""
    print_fields(
        {
            "feature": explanation.feature,
            "computed as": f"{explanation.logic} -> {explanation.dtype}",
            "entity": explanation.keys,
            "T": iso(explanation.time),
        }
    )
    _print_sides(explanation.sides)
    _print_partition(explanation.partition)
    if explanation.contents is not None:
        _print_contents(explanation.contents)
    if explanation.rows is not None:
        _print_rows(explanation.rows)
    if explanation.reads:
        _print_reads(explanation.reads)


def _one_entity(keys: Mapping[str, Sequence[int | str]]) -> dict[str, int | str]:
    entities = max(len(values) for values in keys.values())
    if entities > 1:
        raise InputError(f"--key names {entities} entities: explain one at a time")
    return {column: values[0] for column, values in keys.items()}


def _print_sides(sides: Sides) -> None:
    _heading("Value")
    online = sides.online_note if sides.online is None else str(sides.online)
    recomputed = "-" if sides.recomputed is None else str(sides.recomputed)
    print_fields({"recomputed": recomputed, "offline": str(sides.offline), "online": online, "verdict": sides.verdict})


def _print_partition(facts: PartitionFacts) -> None:
    _heading("Partition")
    instants = {
        "as-of": facts.as_of,
        "batch end": facts.batch_end,
        "available at": facts.available_at,
        "landed at": facts.landed_at,
        "published at": facts.published_at,
    }
    print_fields(
        {
            "status": facts.status,
            **{name: instant and iso(instant) for name, instant in instants.items()},
            "generation": facts.generation,
            "TTL": facts.ttl and facts.expires_at and f"{facts.ttl}, expires at {iso(facts.expires_at)}",
            "entities": facts.rows,
            "run": facts.run_id,
            "note": "\n".join(facts.notes),
        }
    )


def _print_contents(contents: WindowContents) -> None:
    window = contents.window
    _heading("Window")
    over = "all history" if window.over is None else f"{window.over}, hop {window.hop}"
    print_fields({"over": over, "tail": iso(window.tail), "head": f"{iso(window.head)} (itself not counted)"})
    _print_tiles(contents.tiles)
    _print_events("Events that count", contents.counted)
    for reason, listing in contents.missed.items():
        _print_events(f"Do not count: {reason}", listing)
    first, last = contents.looked_at
    print_line(f"\nLooked for events in [{iso(first)}, {iso(last)})")


def _print_tiles(tiles: Listing) -> None:
    _heading("Tiles", tiles)
    if tiles.shown:
        shown: Sequence[Tile] = tiles.shown
        states = list(shown[0].state)
        rows = [[iso(t.start), iso(t.end), t.origin, *(_cell(t.state[name]) for name in states)] for t in shown]
        print_table(["from", "to", "source", *states], rows)


def _print_events(title: str, events: Listing) -> None:
    _heading(title, events)
    if events.shown:
        shown: Sequence[Event] = events.shown
        columns = list(shown[0].columns)
        notes = {"off by": [event.off_by for event in shown], "in the result": [event.place or None for event in shown]}
        given = {title: texts for title, texts in notes.items() if any(texts)}
        rows = [
            [iso(e.time), *(texts[number] for texts in given.values()), _cell(e.value), *map(_cell, e.columns.values())]
            for number, e in enumerate(shown)
        ]
        print_table(["time", *given, "value", *columns], rows)


def _print_rows(rows: Listing) -> None:
    _heading("Rows", rows)
    if rows.shown:
        columns = list(rows.shown[0].columns)
        print_table(
            [*columns, "verdict"],
            [[*(_cell(row.columns[name]) for name in columns), row.verdict] for row in rows.shown],
        )


def _print_reads(reads: Sequence[Read]) -> None:
    _heading("Reads")
    rows = [
        [
            read.feature,
            read.logic,
            "-" if read.window is None else f"[{iso(read.window.tail)}, {iso(read.window.head)})",
            read.counted,
            "-" if read.sides.recomputed is None else str(read.sides.recomputed),
            str(read.sides.offline),
            "-" if read.sides.online is None else str(read.sides.online),
        ]
        for read in reads
    ]
    print_table(["feature", "computed as", "window", "events", "recomputed", "offline", "online"], rows)


def _heading(title: str, listing: Listing | None = None) -> None:
    if listing is None:
        print_line(f"\n{title}")
    elif len(listing.shown) < listing.total:
        print_line(f"\n{title}: {len(listing.shown)} of {listing.total}")
    else:
        print_line(f"\n{title}: {listing.total}")


def _cell(value: Any) -> object:
    """Return a value of a row or of a state as it is printed; of values that are kept with their time both."""
    if isinstance(value, list):
        return f"[{', '.join(str(_cell(each)) for each in value)}]"
    if isinstance(value, dict):
        return f"{plain_text(value['value'])} at {iso(value['time'])}"
    return iso(value) if isinstance(value, datetime) else value
