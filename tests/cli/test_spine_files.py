import json
from datetime import UTC, date, datetime, time, timedelta, timezone
from decimal import Decimal
from pathlib import Path
from typing import Any

import pandas as pd
import polars as pl
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

from feature_assets.cli.spine_files import read_spine, write_rows
from feature_store import Int64, String
from feature_store.errors import InputError

KEYS = {"household_id": Int64, "department": String}
SIX = datetime(2017, 6, 1, 6, tzinfo=UTC)


def csv(tmp_path: Path, *lines: str) -> Path:
    path = tmp_path / "spine.csv"
    path.write_text("\n".join(["household_id,department,time,label", *lines]) + "\n")
    return path


@pytest.mark.parametrize(
    "time",
    [
        "2017-06-01T06:00:00Z",
        "2017-06-01 06:00:00Z",
        "2017-06-01T06:00Z",
        "2017-06-01T08:00:00+02:00",
        "2017-06-01 08:00:00+02",
        "2017-06-01T01:30:00.000-0430",
    ],
)
def test_times_with_a_zone_become_utc(tmp_path, time):
    spine = read_spine(csv(tmp_path, f"1,007,{time},0"), KEYS, "time")
    assert spine["time"].to_list() == [SIX]
    assert spine.schema == {
        "household_id": pl.Int64, "department": pl.String, "time": pl.Datetime("us", "UTC"), "label": pl.String,
    }  # fmt: skip


def test_keys_are_typed_and_may_be_null(tmp_path):
    spine = read_spine(csv(tmp_path, f"1,007,{SIX.isoformat()},0", f",,{SIX.isoformat()},1"), KEYS, "time")
    assert spine.select("household_id", "department").rows() == [(1, "007"), (None, None)]


def test_all_but_keys_and_times_is_text_that_comes_out_as_it_went_in(tmp_path):
    """A zip code keeps its zeros, and a code that is no number comes after any number of those that are."""
    lines = [f"1,A,{SIX.isoformat(timespec='microseconds')},{code}" for code in (*range(200), "A7", "00123", '""', "")]
    path = csv(tmp_path, *lines)
    spine = read_spine(path, KEYS, "time")
    assert spine["label"].to_list()[-4:] == ["A7", "00123", "", None]
    write_rows(spine, tmp_path / "out.csv")
    assert (tmp_path / "out.csv").read_text() == path.read_text()


@pytest.mark.parametrize("header", ["household_id,department,time,time", "household_id,household_id,time,a"])
def test_a_column_that_is_named_twice_is_refused(tmp_path, header):
    path = tmp_path / "spine.csv"
    path.write_text(f"{header}\n1,A,{SIX.isoformat()},5\n")
    twice = next(name for name in header.split(",") if header.split(",").count(name) == 2)
    with pytest.raises(InputError, match=f"spine.csv: two columns are called '{twice}': rename one"):
        read_spine(path, KEYS, "time")


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("1,A,2017-06-01T06:00:00,0", "row 2: time '2017-06-01T06:00:00' has no time zone: write 2017-06-01T06:00:00Z"),
        ("1,A,2017-06-01,0", "row 2: time '2017-06-01' has no time zone: write 2017-06-01T00:00:00Z"),
        ("1,A,2017-06-01 06:00,0", "row 2: time '2017-06-01 06:00' has no time zone: write 2017-06-01T06:00:00Z"),
        (
            "1,A,2017-06-31T06:00:00Z,0",
            "row 2: time '2017-06-31T06:00:00Z' is not a time: write it like 2026-01-31T06:00:00Z",
        ),
        ("1,A,yesterday,0", "row 2: time 'yesterday' is not a time"),
        ("1.5,A,2017-06-01T06:00:00Z,0", "row 2: household_id '1.5' is not a whole number"),
    ],
)
def test_a_bad_value_is_named_with_its_row(tmp_path, line, message):
    path = csv(tmp_path, f"1,A,{SIX.isoformat()},0", line)
    with pytest.raises(InputError) as error:
        read_spine(path, KEYS, "time")
    assert message in str(error.value)


def test_files_that_cannot_be_read_are_refused(tmp_path):
    with pytest.raises(InputError, match=r"absent\.csv: there is no such file"):
        read_spine(tmp_path / "absent.csv", KEYS, "time")
    with pytest.raises(InputError, match=r"name a \.csv or \.parquet file"):
        read_spine(tmp_path / "spine.json", KEYS, "time")
    for name in ("empty.csv", "torn.parquet"):
        (tmp_path / name).write_bytes(b"")
        with pytest.raises(InputError, match=f"{name} cannot be read"):
            read_spine(tmp_path / name, KEYS, "time")


ROWS = pl.DataFrame(
    {
        "time": [SIX, None],
        "vector": pl.Series([[0.5, 1.0], None], dtype=pl.Array(pl.Float32, 2)),
        "text": ["a,b", None],
        "texts": [['a"b', None], None],
    }
)


def test_csv_holds_zones_and_vectors(tmp_path):
    write_rows(ROWS, tmp_path / "out.csv")
    lines = (tmp_path / "out.csv").read_text().splitlines()
    assert lines == [
        "time,vector,text,texts",
        '2017-06-01T06:00:00.000000+00:00,"[0.5, 1.0]","a,b","[""a\\""b"", null]"',
        ",,,",
    ]


def test_parquet_holds_everything(tmp_path):
    write_rows(ROWS, tmp_path / "out.parquet")
    assert pl.read_parquet(tmp_path / "out.parquet").equals(ROWS)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["out.parquet"]


INDIA = timezone(timedelta(hours=5, minutes=30))
SCALARS: list[tuple[Any, list[Any], list[str]]] = [
    (pl.Int64, [1, -(2**63)], ["1", str(-(2**63))]),
    (pl.UInt64, [2**64 - 1], [str(2**64 - 1)]),
    (pl.Float64, [0.1, 5e-324, 1e300, -0.0], ["0.1", "5e-324", "1e+300", "-0.0"]),
    (pl.Float32, [0.1], ["0.1"]),
    (pl.Boolean, [True, False], ["true", "false"]),
    (pl.String, ["C:\\temp", 'a"b', "null", "x\ny", "x\r\ny", " x ", "\t", "ü\U0001f600"], []),
    (pl.Categorical, ["C:\\temp"], ["C:\\temp"]),
    (pl.Enum(["a", "b"]), ["a"], ["a"]),
    (pl.Decimal(10, 2), [Decimal("1.50")], ["1.50"]),
    (pl.Date, [date(2017, 6, 1)], ["2017-06-01"]),
    (pl.Time, [time(6, 1)], ["06:01:00.000000000"]),
    (pl.Datetime("us", "UTC"), [SIX], ["2017-06-01T06:00:00.000000+00:00"]),
    (pl.Datetime("ms", "Asia/Kolkata"), [SIX], ["2017-06-01T11:30:00.000000+05:30"]),
    (pl.Datetime("ns", "UTC"), [SIX], ["2017-06-01T06:00:00.000000+00:00"]),
    (pl.Datetime("us"), [datetime(2017, 6, 1)], ["2017-06-01T00:00:00.000000"]),
]
of_every_scalar = pytest.mark.parametrize(("dtype", "values", "texts"), SCALARS, ids=lambda each: str(each)[:25])


@of_every_scalar
def test_values_of_every_type_are_read_from_csv_as_they_were_written(tmp_path, dtype, values, texts):
    frame = pl.DataFrame({"value": pl.Series([*values, None], dtype=dtype)})
    write_rows(frame, tmp_path / "out.csv")
    assert read_spine(tmp_path / "out.csv", {}, "time")["value"].to_list() == [*(texts or values), None]


@of_every_scalar
@pytest.mark.parametrize("is_array", [False, True], ids=["list", "array"])
def test_lists_in_csv_are_what_json_dumps_gives(tmp_path, dtype, values, texts, is_array):
    lists = pl.List(dtype) if not is_array else pl.Array(dtype, len(values) + 1)
    column = pl.Series("values", [[*values, None], None], lists)
    write_rows(column.to_frame(), tmp_path / "out.csv")
    cells = read_spine(tmp_path / "out.csv", {}, "time")["values"].to_list()

    def spelt(value: Any) -> Any:
        if isinstance(value, datetime):
            return value.isoformat(timespec="microseconds")
        return str(value) if isinstance(value, date | time | Decimal) else value

    assert cells == [json.dumps([spelt(value) for value in column.to_list()[0]]), None]
    again = json.loads(cells[0])
    instants = [datetime.fromisoformat(text) for text in again[:-1]] if isinstance(values[0], datetime) else again[:-1]
    if isinstance(dtype, pl.Datetime):
        assert instants == column.to_list()[0][:-1]


@of_every_scalar
def test_values_of_every_type_are_read_from_parquet_as_they_were_written(tmp_path, dtype, values, texts):
    scalars = pl.Series("value", [*values, None], dtype)
    lists = pl.Series("values", [[each] for each in (*values, None)], pl.List(dtype))
    frame = pl.DataFrame([scalars, lists, lists.cast(pl.Array(dtype, 1)).alias("array")])
    write_rows(frame, tmp_path / "out.parquet")
    assert_frame_equal(read_spine(tmp_path / "out.parquet", {}, "time"), frame, categorical_as_str=True)


@given(st.lists(st.text(st.characters(exclude_categories=["Cs"])), min_size=1), st.text('*^$a,"\n C:\\', min_size=1))
@example(["\r", "a\rb", '"', ""], "^a$")
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_text_in_any_column_comes_back_as_it_was(tmp_path, texts, name):
    frame = pl.DataFrame({name: texts, "list of it": [texts] * len(texts), "a_": 1})
    write_rows(frame, tmp_path / "out.csv")
    again = read_spine(tmp_path / "out.csv", {}, "time")
    assert again.columns == frame.columns
    assert again[name].to_list() == texts
    assert [json.loads(cell) for cell in again["list of it"]] == [texts] * len(texts)


@pytest.mark.parametrize("unit", ["s", "ms", "us", "ns"])
def test_times_with_an_offset_are_read_from_parquet_as_the_same_instants(tmp_path, unit):
    times = pd.to_datetime(pd.Series([SIX.astimezone(INDIA)])).dt.as_unit(unit)
    pd.DataFrame({"time": times}).to_parquet(tmp_path / "spine.parquet")
    assert read_spine(tmp_path / "spine.parquet", {}, "time")["time"].to_list() == [SIX]


def test_a_time_that_no_calendar_has_is_refused_in_csv(tmp_path):
    frame = pl.DataFrame({"label": pl.Series([[2**62]]).cast(pl.List(pl.Datetime("us", "UTC")))})
    with pytest.raises(InputError, match=r"out\.csv cannot be written"):
        write_rows(frame, tmp_path / "out.csv")


def test_an_out_file_that_cannot_be_written_is_refused(tmp_path):
    with pytest.raises(InputError, match="there is no folder"):
        write_rows(ROWS, tmp_path / "nowhere" / "out.csv")
    with pytest.raises(InputError, match=r"name a \.csv or \.parquet file"):
        write_rows(ROWS, tmp_path / "out.xlsx")
    (tmp_path / "folder.csv").mkdir()
    with pytest.raises(InputError, match=r"folder\.csv: there is a folder of that name"):
        write_rows(ROWS, tmp_path / "folder.csv")
    with pytest.raises(InputError, match=r"out\.csv cannot be written: .*too long"):
        write_rows(ROWS, tmp_path / f"{'x' * 244}out.csv")
