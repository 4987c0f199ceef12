"""Two stored features beside one another are compared as a dict of their values says."""

import tempfile
from datetime import UTC, datetime, timedelta

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from feature_assets.parity.versions import StoredFeature, ValueDiff, compare_stored
from feature_store.errors import InputError, NotComputedError
from feature_store.offline.tables.store import OfflineStore
from feature_store.offline.tables.write import Write
from feature_store.temporal.durations import DAY

START = datetime(2026, 1, 1, tzinfo=UTC)
ONE, OTHER = StoredFeature("n/spend/v1", "spend"), StoredFeature("n/spend/v2", "money")

Values = dict[tuple[int, int], float | None]
"""By day and entity."""

values = st.dictionaries(
    st.tuples(st.integers(0, 2), st.integers(0, 3)), st.one_of(st.none(), st.sampled_from([0.0, 1.0, 1.0 + 1e-12, 2.5]))
)


def write(store: OfflineStore, feature: StoredFeature, held: Values, days: int = 3) -> None:
    rows = [(START + timedelta(days=day), START + timedelta(days=day + 1), key, v) for (day, key), v in held.items()]
    instant = pl.Datetime("us", "UTC")
    schema = {"partition_start": instant, "as_of": instant, "id": pl.Int64, feature.name: pl.Float64}
    frame = pl.DataFrame(rows, schema=schema, orient="row")
    end = START + timedelta(days=days)
    store.stored_values(feature.view).write_range(frame, Write(START, end, DAY, "test", order=["id"], key=["id"]))


def compared(one: Values, other: Values, **options: int) -> ValueDiff:
    with tempfile.TemporaryDirectory() as folder:
        store = OfflineStore(folder)
        write(store, ONE, one)
        write(store, OTHER, other)
        return compare_stored(store, ONE, OTHER, ["id"], **options)


def is_other(one: float | None, other: float | None) -> bool:
    if one is None or other is None:
        return one is not other
    return abs(one - other) > 1e-9 * max(abs(one), abs(other))


@given(one=values, other=values)
def test_it_counts_what_a_dict_counts(one: Values, other: Values) -> None:
    told = compared(one, other, examples=100)
    both = one.keys() & other.keys()
    changed = {key for key in both if is_other(one[key], other[key])}
    assert (told.rows, told.only_one, told.only_other) == (len(both), len(one.keys() - both), len(other.keys() - both))
    assert told.changed == len(changed)
    assert told.share_changed == (len(changed) / len(both) if both else 0)
    rows = [(row["id"], row["as_of"], row["one"], row["other"]) for row in told.examples]
    assert sorted(map(repr, rows)) == sorted(
        repr((key, f"{START + timedelta(days=day + 1):%FT%TZ}", one[day, key], other[day, key])) for day, key in changed
    )
    gaps = [other[key] - one[key] for key in both if one[key] is not None and other[key] is not None]
    assert (told.difference.get("min"), told.difference.get("max")) == (
        (min(gaps), max(gaps)) if gaps else (None, None)
    )


def test_the_newest_partitions_are_compared_and_the_largest_differences_shown_first() -> None:
    one = {(day, key): 1.0 for day in range(3) for key in range(4)}
    other = {place: 1.0 + 10 * place[0] + place[1] for place in one}
    told = compared(one, other, partitions=2, examples=2)
    assert told.partitions == ("2026-01-03T00:00:00+00:00", "2026-01-04T00:00:00+00:00")
    assert [(row["id"], row["other"]) for row in told.examples] == [(3, 24.0), (2, 23.0)]
    assert (told.rows, told.changed) == (8, 8)


def test_what_cannot_be_compared_says_what_to_do() -> None:
    with tempfile.TemporaryDirectory() as folder:
        store = OfflineStore(folder)
        write(store, ONE, {(0, 1): 1.0})
        with pytest.raises(NotComputedError, match="have no partition in common: backfill the new one first"):
            compare_stored(store, ONE, OTHER, ["id"])
        write(store, OTHER, {(0, 1): 1.0})
        with pytest.raises(InputError, match=r"n/spend/v2\.spend is not stored: backfill it first"):
            compare_stored(store, ONE, StoredFeature(OTHER.view, "spend"), ["id"])
