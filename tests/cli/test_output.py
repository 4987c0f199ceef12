"""Answers for people: whatever the width, no column is dropped and no cell is cut."""

import io
from contextlib import redirect_stdout

import pytest
from hypothesis import given
from hypothesis import strategies as st

from feature_assets.cli.output import print_fields, print_table

WORDS = st.text(st.characters(min_codepoint=33, max_codepoint=126), min_size=1, max_size=30)
TABLES = st.integers(1, 6).flatmap(
    lambda columns: st.tuples(
        st.lists(WORDS, min_size=columns, max_size=columns, unique=True),
        st.lists(st.lists(WORDS, min_size=columns, max_size=columns), min_size=1, max_size=4),
    )
)


def printed(width: int | None, table: tuple[list[str], list[list[object]]]) -> list[str]:
    with pytest.MonkeyPatch.context() as patch, redirect_stdout(io.StringIO()) as out:
        patch.setenv("COLUMNS", "" if width is None else str(width))
        print_table(*table)
    return out.getvalue().splitlines()


@given(TABLES, st.sampled_from([None, 20, 40, 80, 200]))
def test_every_cell_is_shown_whole_whatever_the_width(table, width):
    columns, rows = table
    lines = printed(width, table)
    as_table = [columns, *rows]
    as_blocks = [list(pair) for row in rows for pair in zip(columns, row, strict=True)]
    shown = [line.split() for line in lines if line]
    assert shown == as_table or (width is not None and shown == as_blocks)
    longest = max(map(len, [*columns, *(cell for row in rows for cell in row)]))
    assert width is None or max(map(len, lines)) <= max(width, 2 * longest + 2)


def test_what_fits_is_a_table_and_what_does_not_is_a_block_per_row():
    table = (["time", "value"], [["2017-12-31T20:55:26Z", 3.5], ["2017-12-31T20:55:27Z", None]])
    assert printed(80, table) == ["time                  value", "2017-12-31T20:55:26Z  3.5", "2017-12-31T20:55:27Z  -"]
    assert printed(None, table) == printed(80, table)
    assert printed(20, table) == [
        "time   2017-12-31T20:55:26Z", "value  3.5", "", "time   2017-12-31T20:55:27Z", "value  -",
    ]  # fmt: skip


def test_a_last_column_of_prose_wraps_at_words():
    table = (["name", "description"], [["spend_7d", "Sales value of the last seven days, in US dollars"]])
    assert printed(44, table) == [
        "name      description",
        "spend_7d  Sales value of the last seven",
        "          days, in US dollars",
    ]


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (95.48999786376953, "95.49"),
        (0.0, "0.0"),
        (1e-05, "1e-05"),
        (0.06197228761836962, "0.0619723"),
        (1234567.891, "1234567.89"),
        (1e20, "1e+20"),
        (float("nan"), "nan"),
        (9007199254740993, "9007199254740993"),
        (True, "true"),
        (None, "-"),
        ("", '""'),
        ([0.1, None, 1.0], "0.1, -, 1.0"),
        (["a", "b"], "a, b"),
        ({"household_id": 900}, "household_id 900"),
        ("a\nb\x1b[31m", r"a\nb\x1b[31m"),
    ],
)
def test_numbers_are_rounded_for_people_and_nothing_else_is_changed(value, text):
    assert printed(None, (["x"], [[value]])) == ["x", text]


def test_fields_leave_out_what_is_empty_and_keep_lines(capsys):
    print_fields({"name": "x", "window": None, "readers": [], "ledger": "one\ntwo"})
    assert capsys.readouterr().out == "name    x\nledger  one\n        two\n"
