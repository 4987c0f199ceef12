from datetime import UTC, datetime
from pathlib import Path

import polars as pl
import pytest

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
