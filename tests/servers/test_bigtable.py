from __future__ import annotations

import pytest


@pytest.mark.filterwarnings("ignore:Connecting to Bigtable emulator:RuntimeWarning")
def test_rows_of_a_batch_are_read_back_and_absent_ones_are_not(bigtable: str, monkeypatch: pytest.MonkeyPatch) -> None:
    from google.auth.credentials import AnonymousCredentials
    from google.cloud.bigtable import Client
    from google.cloud.bigtable.row_set import RowSet

    monkeypatch.setenv("BIGTABLE_EMULATOR_HOST", bigtable)
    client = Client(project="tests", admin=True, credentials=AnonymousCredentials())
    table = client.instance("tests").table("rows")
    table.create(column_families={"v": None})
    rows = [table.direct_row(b"k%d" % number) for number in range(25)]
    for number, row in enumerate(rows):
        row.set_cell("v", b"row", b"v%d" % number)
    assert [status.code for status in table.mutate_rows(rows)] == [0] * 25
    wanted = RowSet()
    for number in range(20, 30):
        wanted.add_row_key(b"k%d" % number)
    found = {row.row_key: row.cells["v"][b"row"][0].value for row in table.read_rows(row_set=wanted)}
    assert found == {b"k%d" % number: b"v%d" % number for number in range(20, 25)}
    client.close()
