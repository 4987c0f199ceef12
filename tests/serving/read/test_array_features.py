"""Features with several slots, each of which may be null, in every form of an answer."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

from feature_store.codec.row_codec import LayoutField, RowLayout
from feature_store.columns import Column
from feature_store.dtypes import Array, Boolean, DType, Float32, Int64, String, Timestamp
from feature_store.plans.service_plan import PlanFeature, PlanKey, PlanOutput, PlanView, ServicePlan, write_plan
from serving.client import FeatureClient
from serving.load.landed import stored_values
from serving.stores.open_store import open_loader
from serving.stores.snapshot import Snapshot
from tests.stores.sample import DAY, HOUR, VIEW, column, now

FIELDS: dict[str, tuple[DType, Any]] = {
    "counts": (Array(Int64, 2), [0, None]),
    "spends": (Array(Float32, 2), None),
    "loyal": (Array(Boolean, 2), None),
    "segments": (Array(String, 2), ["none", None]),
    "visits": (Array(Timestamp, 2), None),
}
STORED = {
    "counts": [[1, None], [None, 2], [None, None]],
    "spends": [[0.5, None], [None, None], [1.5, 2.5]],
    "loyal": [[True, False], [None, True], [None, None]],
    "segments": [["é", "b"], [None, ""], [None, None]],
    "visits": [[datetime(2024, 1, 1, tzinfo=UTC), None], [None, None], [None, None]],
}
KEYS = {"household_id": [1, 2, 3, 4, None]}


def wanted() -> dict[str, list[Any]]:
    """What is read of the stored households, of one without a row and of a null key."""
    rows: dict[str, list[Any]] = {}
    for name, (_, empty) in FIELDS.items():
        stored = [None if all(slot is None for slot in row) else row for row in STORED[name]]
        rows[name] = [*stored, empty, empty]
    return rows


def slots(rows: list[list[Any]], dtype: DType) -> Column:
    plain = [[int(s.timestamp() * 10**6) if isinstance(s, datetime) else s for s in row] for row in rows]
    by_slot = [column([row[place] for row in plain], dtype.numpy) for place in range(dtype.length)]
    return Column(np.column_stack([s.values for s in by_slot]), np.column_stack([s.valid for s in by_slot]))


@pytest.fixture
def client(valkey: str, tmp_path: Path):
    layout = RowLayout(tuple(LayoutField(name, dtype, f"fp-{name}") for name, (dtype, _) in FIELDS.items()))
    features = {name: slots(STORED[name], dtype) for name, (dtype, _) in FIELDS.items()}
    writer = open_loader(valkey)
    as_of = now() - 2 * HOUR
    writer.load(VIEW, Snapshot(as_of, as_of + HOUR, layout, "a"), [([column([1, 2, 3])], features)])
    writer.close()
    view = PlanView(
        VIEW,
        "spend",
        (PlanKey("household_id", "Int64", "household_id"),),
        None,
        DAY,
        tuple(PlanFeature(name, dtype.name, f"fp-{name}", empty) for name, (dtype, empty) in FIELDS.items()),
    )
    outputs = tuple(PlanOutput(name, dtype.name, 0, name) for name, (dtype, _) in FIELDS.items())
    write_plan(tmp_path, ServicePlan("arrays", 1, "growth", ("everyone",), (view,), outputs))
    with FeatureClient(tmp_path, valkey) as opened:
        yield opened


def test_arrays_are_read_as_lists_with_nulls_and_as_null_where_all_slots_are(client: FeatureClient) -> None:
    vectors = client.get_features("arrays", KEYS)
    assert vectors.to_dict() == {**KEYS, **wanted()}
    assert vectors.status_names("counts") == ["PRESENT"] * 3 + ["EMPTY"] * 2


def test_arrays_as_arrow_and_polars(client: FeatureClient) -> None:
    vectors = client.get_features("arrays", KEYS)
    table, frame = vectors.to_arrow(), vectors.to_polars()
    for name, rows in wanted().items():
        assert table[name].to_pylist() == rows
        assert frame[name].to_list() == rows
    assert frame.schema["spends"] == pl.Array(pl.Float32, 2)
    assert frame.schema["visits"] == pl.Array(pl.Datetime("us", "UTC"), 2)


def test_arrays_of_numbers_as_a_matrix_have_a_column_per_slot(client: FeatureClient) -> None:
    vectors = client.get_features("arrays", KEYS, features=["spends", "counts"])
    matrix = vectors.to_numpy()
    assert np.where(np.isnan(matrix), None, matrix).tolist() == [
        [0.5, None, 1.0, None],
        [None, None, None, 2.0],
        [1.5, 2.5, None, None],
        [None, None, 0.0, None],
        [None, None, 0.0, None],
    ]


def test_no_entities_are_a_matrix_without_rows(client: FeatureClient) -> None:
    for features, columns in ((["spends", "counts"], 4), ([], 0)):
        assert client.get_features("arrays", {"household_id": []}, features=features).to_numpy().shape == (0, columns)


def test_a_part_of_an_answer_keeps_its_slots(client: FeatureClient) -> None:
    part = client.get_features("arrays", KEYS).take(1, 3)
    assert part.to_dict()["counts"] == [[None, 2], None]


def test_stored_lists_are_columns_of_slots() -> None:
    for name, (dtype, _) in FIELDS.items():
        rows = [None if all(slot is None for slot in row) else row for row in STORED[name]]
        read = stored_values(pl.Series(rows), dtype)
        expected = slots(STORED[name], dtype)
        assert read.values.dtype == expected.values.dtype or dtype.element == Float32
        assert read.valid.tolist() == expected.valid.tolist()
        assert read.values[read.valid].tolist() == expected.values[read.valid].tolist()
