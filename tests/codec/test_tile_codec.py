from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from feature_store.codec.byte_strings import from_list
from feature_store.codec.sealed_rows import RowError
from feature_store.codec.stream_tiles import StreamTiles
from feature_store.codec.tile_codec import TileLayout, refuse_damaged
from feature_store.columns import Column
from feature_store.dtypes import dtype_from_name
from feature_store.errors import InputError
from feature_store.model.states import State, StateField
from feature_store.temporal.durations import DAY, MINUTE, SECOND
from tests.codec.format_one import former_tiles

LEVELS = (SECOND, 5 * MINUTE, DAY)
NUMBERS = (
    State("n_aa", "n", (StateField("n_aa", "Int64"),), "fp-n"),
    State("sum_aa", "sum", (StateField("sum_aa", "Float64"),), "fp-sum"),
    State("max_bb", "max", (StateField("max_bb", "Boolean"),), "fp-max"),
)
TEXTS = (
    State("last_cc", "last", (StateField("last_cc.time", "Timestamp"), StateField("last_cc.value", "String")), "a"),
    State("min_dd", "min", (StateField("min_dd", "String"),), "b"),
)
LAYOUTS = [TileLayout(LEVELS, NUMBERS), TileLayout(LEVELS, (*NUMBERS[:1], *TEXTS))]

VALUES = {
    "Int64": st.integers(-(2**63), 2**63 - 1),
    "Timestamp": st.integers(-(2**60), 2**60),
    "Float64": st.floats(allow_nan=False),
    "Boolean": st.integers(0, 1),
    "String": st.text(st.characters(exclude_categories=["Cs"]), max_size=6),
}


def column(values, dtype):
    held = np.zeros(len(values), dtype.numpy)
    for place, value in enumerate(values):
        held[place] = (7 if dtype.numpy != "O" else None) if value is None else value
    return Column(held, np.array([value is not None for value in values], np.bool_))


@st.composite
def entities(draw, layout):
    """Tiles of up to five entities, in any order, and since when each of them is complete."""
    count = draw(st.integers(1, 5))
    starts = st.sampled_from([-3 * DAY, 0, DAY, 10**6 * SECOND, 40_000 * DAY])
    place = st.tuples(st.integers(0, count - 1), st.sampled_from(LEVELS), starts)
    places = draw(st.lists(place, unique=True, max_size=12))
    states = {
        name: column(draw(st.lists(st.none() | VALUES[dtype.name], min_size=len(places), max_size=len(places))), dtype)
        for name, dtype in layout.fields
    }
    row, span, start = (np.array([each[part] for each in places], np.int64) for part in range(3))
    since = draw(st.lists(st.integers(-(2**62), 2**62), min_size=count, max_size=count))
    return StreamTiles(row, span, start, states), np.array(since, np.int64)


def keys_of(count):
    return from_list([b"entity%d" % number for number in range(count)])


def told(tiles):
    """Tiles as plain values, one per row, span and start."""
    states = {
        name: [
            value if valid else None for value, valid in zip(state.values.tolist(), state.valid.tolist(), strict=True)
        ]
        for name, state in tiles.states.items()
    }
    places = zip(tiles.row.tolist(), tiles.span.tolist(), tiles.start.tolist(), strict=True)
    return {at: {name: repr(values[n]) for name, values in states.items()} for n, at in enumerate(places)}


def sample(layout, count=3):
    """Two tiles for each of some entities."""
    row = np.repeat(np.arange(count), 2)
    tiles = StreamTiles(
        row,
        np.full(len(row), SECOND),
        np.tile(np.array([0, 7 * SECOND]), count),
        {name: column([f"é{n}" if dtype.numpy == "O" else 1 for n in row], dtype) for name, dtype in layout.fields},
    )
    return tiles, np.zeros(count, np.int64)


@pytest.mark.parametrize("layout", LAYOUTS, ids=["numbers", "strings"])
@given(data=st.data())
def test_tiles_of_both_formats_come_back(layout, data):
    tiles, since = data.draw(entities(layout))
    values = layout.encode(tiles, since, keys_of(len(since))).to_list()
    former = former_tiles(layout, tiles, since)
    older = data.draw(st.lists(st.booleans(), min_size=len(since), max_size=len(since)))
    values = [old if is_old else value for is_old, old, value in zip(older, former, values, strict=True)]
    decoded = layout.decode(values, keys_of(len(since)))
    assert decoded.present.all()
    assert decoded.complete_since.tolist() == since.tolist()
    assert told(decoded.tiles) == told(tiles)
    for name, dtype in layout.fields:
        assert decoded.tiles.states[name].values.dtype == np.dtype(dtype.numpy)


@pytest.mark.parametrize("layout", LAYOUTS, ids=["numbers", "strings"])
@given(data=st.data())
def test_entities_without_a_value_have_no_tiles_and_the_others_keep_theirs(layout, data):
    tiles, since = data.draw(entities(layout))
    values = layout.encode(tiles, since, keys_of(len(since))).to_list()
    gone = data.draw(st.lists(st.booleans(), min_size=len(values), max_size=len(values)))
    decoded = layout.decode(
        [None if left else value for value, left in zip(values, gone, strict=True)], keys_of(len(since))
    )
    assert decoded.present.tolist() == [not left for left in gone]
    assert told(decoded.tiles) == {at: each for at, each in told(tiles).items() if not gone[at[0]]}


def test_only_the_fields_wanted_are_decoded():
    layout = LAYOUTS[1]
    tiles, since = sample(layout)
    decoded = layout.decode(layout.encode(tiles, since, keys_of(3)).to_list(), keys_of(3), only={"min_dd"})
    assert list(decoded.tiles.states) == ["min_dd"]
    assert decoded.tiles.states["min_dd"].values.tolist() == ["é0", "é0", "é1", "é1", "é2", "é2"]


def test_an_entity_may_have_no_tiles():
    for layout in LAYOUTS:
        tiles, _ = sample(layout, 0)
        decoded = layout.decode(layout.encode(tiles, np.array([5, 6]), keys_of(2)).to_list(), keys_of(2))
        assert decoded.complete_since.tolist() == [5, 6]
        assert len(decoded.tiles) == 0
        assert len(layout.decode([], keys_of(0)).tiles) == 0


def told_damaged(layout, values):
    """Assert that each of some values is damaged between two that are whole, and costs these nothing."""
    first, middle, last = layout.encode(*sample(layout), keys_of(3)).to_list()
    whole = {
        at: each for at, each in told(layout.decode([first, middle, last], keys_of(3)).tiles).items() if at[0] != 1
    }
    for value in values:
        decoded = layout.decode([first, value, last], keys_of(3))
        assert decoded.damaged.tolist() == [False, True, False]
        assert decoded.present.tolist() == [True, False, True]
        assert told(decoded.tiles) == whole


@pytest.mark.parametrize("layout", LAYOUTS, ids=["numbers", "strings"])
def test_every_flipped_bit_cut_or_addition_is_noticed_and_costs_no_neighbour(layout):
    values = layout.encode(*sample(layout), keys_of(3)).to_list()
    bits = [each ^ 1 << bit for each in [int.from_bytes(values[1], "little")] for bit in range(8 * len(values[1]))]
    told_damaged(layout, [bit.to_bytes(len(values[1]), "little") for bit in bits])
    told_damaged(layout, [values[1][:length] for length in range(len(values[1]))])
    told_damaged(layout, [values[1] + b"\0", values[1] + bytes(4), values[0], b"anything else, of any length at all"])


@pytest.mark.parametrize("layout", LAYOUTS, ids=["numbers", "strings"])
def test_a_former_value_that_is_cut_is_noticed_and_costs_no_neighbour(layout):
    value = former_tiles(layout, *sample(layout))[1]
    told_damaged(layout, [value[:length] for length in range(len(value))])
    told_damaged(layout, [value + bytes(8)])


@pytest.mark.parametrize("layout", LAYOUTS, ids=["numbers", "strings"])
def test_a_value_of_another_layout_is_damaged(layout):
    other = replace(layout, levels=(SECOND, MINUTE, DAY))
    assert other.decode(layout.encode(*sample(layout), keys_of(3)).to_list(), keys_of(3)).damaged.all()
    assert other.decode(former_tiles(layout, *sample(layout)), keys_of(3)).damaged.all()
    with pytest.raises(RowError, match="3 of 3 entities are damaged"):
        refuse_damaged(other.decode(former_tiles(layout, *sample(layout)), keys_of(3)))


@given(st.binary(max_size=200))
def test_bytes_that_hold_no_tiles_are_damaged(value):
    assert LAYOUTS[0].decode([value], keys_of(1)).damaged.all()


def test_a_tile_of_a_strange_level_or_without_a_state_is_refused():
    layout = LAYOUTS[0]
    tiles, since = sample(layout)
    with pytest.raises(InputError, match="spans 2000000"):
        layout.encode(replace(tiles, span=tiles.span * 2), since, keys_of(3))
    with pytest.raises(InputError, match="lack the state sum_aa"):
        layout.encode(
            replace(tiles, states={name: tiles.states[name] for name in ("n_aa", "max_bb")}), since, keys_of(3)
        )
    with pytest.raises(InputError, match="136 years"):
        layout.encode(replace(tiles, start=tiles.start * 10**9), since, keys_of(3))


def test_a_layout_comes_back_from_its_record_and_a_changed_record_is_refused():
    for layout in LAYOUTS:
        record = json.loads(json.dumps(layout.to_record()))
        assert TileLayout.from_record(record) == layout
        with pytest.raises(RowError, match="hashes to"):
            TileLayout.from_record({**record, "levels": [SECOND, DAY]})


def test_the_layout_id_tells_states_types_and_fingerprints_apart():
    first, *rest = NUMBERS
    others = [
        replace(LAYOUTS[0], levels=(SECOND, DAY)),
        TileLayout(LEVELS, tuple(rest)),
        TileLayout(LEVELS, (*rest, first)),
        TileLayout(LEVELS, (replace(first, fingerprint="fp-other"), *rest)),
        TileLayout(LEVELS, (replace(first, fields=(StateField("n_aa", "Float64"),)), *rest)),
    ]
    assert len({layout.layout_id for layout in [LAYOUTS[0], *others]}) == len(others) + 1


def test_every_type_of_a_field_has_bytes():
    for name, values in {"Int64": [-5], "Float64": [0.1], "Timestamp": [3], "Boolean": [1], "String": ["ß"]}.items():
        layout = TileLayout((SECOND,), (State("x", "max", (StateField("x", name),), ""),))
        states = {"x": column(values, dtype_from_name(name))}
        one = StreamTiles(np.array([0]), np.array([SECOND]), np.array([SECOND]), states)
        decoded = layout.decode(layout.encode(one, np.array([0]), keys_of(1)).to_list(), keys_of(1))
        assert decoded.tiles.states["x"].values.tolist() == values
