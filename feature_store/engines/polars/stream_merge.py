"""Stream tiles merged into stream tiles: by the merge of batch states, so that counts stay exact whoever adds up."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np
import polars as pl

from feature_store.codec.stream_tiles import StreamTiles, concat_tiles
from feature_store.columns import Mask
from feature_store.dtypes import dtype_from_name
from feature_store.engines.polars.columns import to_series
from feature_store.engines.polars.dtypes import TIMESTAMP
from feature_store.engines.polars.groups import heads, number_groups
from feature_store.engines.polars.merging import merge_states
from feature_store.engines.polars.states import state_dtype
from feature_store.engines.polars.stream_tiles import tile_states
from feature_store.model.states import State
from feature_store.model.views import FeatureView

_PLACE: Final = ["row", "span", "tile_start"]


def merge_stream_tiles(
    view: FeatureView, states: Sequence[State], old: StreamTiles, new: StreamTiles
) -> tuple[StreamTiles, Mask]:
    """Return tiles with others added to them, and which of them are new or changed.

    Args:
        view: a stream view.
        states: of its tiles.
        old: tiles, each row, span and start once.
        new: tiles of other events, each row, span and start once.

    Raises:
        InputError: a sum of integers does not fit Int64.
    """
    both = concat_tiles([old, new])
    is_new = np.arange(len(both)) >= len(old)
    order = np.lexsort((is_new, both.start, both.span, both.row))
    ordered, is_new = both.take(order), is_new[order]
    follows = np.zeros(len(ordered), np.bool_)
    follows[1:] = np.logical_and.reduce([each[1:] == each[:-1] for each in (ordered.row, ordered.span, ordered.start)])
    shared = follows | np.append(follows[1:], np.False_)[: len(follows)]
    if not shared.any():
        return ordered, is_new
    frame = tile_frame(ordered.take(shared), states)
    numbered = number_groups(frame, _PLACE)
    merged = pl.concat([heads(numbered).select(_PLACE), merge_states(view, numbered, states)], how="horizontal")
    kept = ordered.take(~shared)
    changed = StreamTiles(
        merged["row"].to_numpy(),
        merged["span"].to_numpy(),
        merged["tile_start"].to_physical().to_numpy(),
        tile_states(merged, states),
    )
    return concat_tiles([kept, changed]), np.concatenate([is_new[~shared], np.ones(len(changed), np.bool_)])


def tile_frame(tiles: StreamTiles, states: Sequence[State]) -> pl.DataFrame:
    """Return tiles as a frame of ``row``, ``span``, ``tile_start`` and state columns; see ``stream_tile_schema``."""
    columns = {
        "row": pl.Series(tiles.row, dtype=pl.Int64),
        "span": pl.Series(tiles.span, dtype=pl.Int64),
        "tile_start": pl.Series(tiles.start, dtype=pl.Int64).cast(TIMESTAMP),
    }
    return pl.DataFrame({**columns, **{state.column: _state_series(tiles, state) for state in states}})


def _state_series(tiles: StreamTiles, state: State) -> pl.Series:
    """Return a state as its column: a struct of its fields is null where its value is."""
    fields = {field.name: to_series(tiles.states[field.name], dtype_from_name(field.dtype)) for field in state.fields}
    if state.column in fields:
        return fields[state.column].cast(state_dtype(state))
    value = f"{state.column}.value"
    plain = {name.removeprefix(f"{state.column}."): series for name, series in fields.items()}
    whole = pl.DataFrame(plain).to_struct().cast(state_dtype(state))
    return pl.select(pl.when(fields[value].is_not_null()).then(whole)).to_series()
