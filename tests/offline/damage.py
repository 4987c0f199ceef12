"""Ways in which the files of a table are damaged, and the looks that are had at them."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import polars as pl
from deltalake import DeltaTable

from feature_store.offline.delta import stored_files
from feature_store.offline.tables.partitioned_table import PartitionedTable
from feature_store.s3.paths import place_of


def cut(to: Callable[[int], int]) -> Callable[[Path], None]:
    def damage(file: Path) -> None:
        written = file.read_bytes()
        file.write_bytes(written[: to(len(written))])

    return damage


def flip(file: Path, at: float = 0.1) -> None:
    """Flip a bit of the first column's values, which lie at the beginning."""
    written = bytearray(file.read_bytes())
    written[int(len(written) * at)] ^= 0x10
    file.write_bytes(written)


DAMAGES: dict[str, Callable[[Path], None]] = {
    "cut by four bytes": cut(lambda size: size - 4),
    "cut to half": cut(lambda size: size // 2),
    "cut to eight bytes": cut(lambda size: min(size, 8)),
    "empty": cut(lambda _: 0),
    "one byte longer": lambda file: file.write_bytes(file.read_bytes() + b"\0"),
    "missing": lambda file: file.unlink(),
    "a bit flipped near the start": flip,
    "a bit flipped in the middle": lambda file: flip(file, 0.5),
    "a bit flipped in the footer": lambda file: flip(file, 0.9),
}
"""What can happen to one file."""


def files_of(table: PartitionedTable, day: int) -> list[Any]:
    """Return the files of a day of January 2024, from 0, on a disk or on S3."""
    files = DeltaTable(table.uri, storage_options=dict(table.options)).file_uris()
    of_day = [uri.removeprefix("file://") for uri in files if f"/day=2024-01-{day + 1:02d}/" in uri]
    return [place_of(uri, table.options) for uri in of_day]


def damage_day(table: PartitionedTable, day: int, damage: Callable[[Path], None]) -> Any:
    """Damage a file of a day as if it had happened before this process looked at it; return the file."""
    (file, *_) = files_of(table, day)
    damage(file)
    stored_files._checked.clear()
    return file


def change_ledger(table: PartitionedTable, change: Callable[[pl.DataFrame], pl.DataFrame]) -> None:
    """Rewrite the entries of a ledger as one that was written before they had digests."""
    change(pl.read_delta(table.ledger.uri).drop("digest")).write_delta(
        table.ledger.uri, mode="overwrite", delta_write_options={"schema_mode": "overwrite"}
    )


def forget_checksums(table: PartitionedTable) -> None:
    """Leave the ledger as one that was written before it kept the checksums of files."""
    change_ledger(table, lambda listed: listed.filter(pl.col("kind") != "files"))
