"""The entries of the ledger of a table in partitions: the partitions, and everything about each that readers must know.

Five kinds of entry:

``landed``     the commit ``delta_version`` left these rows in the partition.
``unchanged``  the commit ``delta_version`` changed no partition: it created the table, or laid out its files anew.
``files``      the commit ``delta_version`` added these files, of these sizes and checksums.
``damaged``    at ``landed_at`` somebody found that the day of ``partition_start`` is not as ``delta_version`` left it
               (``problem`` says how), or that it is so again (``problem`` is null). With a ``generation``: that this
               copy of the partition in the online store is none, or is one again, or was replaced.
``published``  from ``published_at`` on the online store held what ``delta_version`` had left in the partition.

The current state of a partition is its landed entry of the highest ``delta_version``, with the ``available_at`` of its
first one.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from io import StringIO
from typing import Final

import polars as pl

from feature_store.codec.content_hash import Content
from feature_store.offline.delta.instants import INSTANT
from feature_store.temporal.instants import from_microseconds

LANDED: Final = "landed"
UNCHANGED: Final = "unchanged"
PUBLISHED: Final = "published"
FILES: Final = "files"
DAMAGED: Final = "damaged"

SCHEMA: Final = pl.Schema(
    {
        "kind": pl.String,
        "partition_start": INSTANT,
        "as_of": INSTANT,
        "available_at": INSTANT,
        "landed_at": INSTANT,
        "published_at": INSTANT,
        "run_id": pl.String,
        "rows": pl.Int64,
        "excluded": pl.Int64,
        "fingerprints": pl.String,
        "content_hash": pl.String,
        "column_sums": pl.String,
        "inputs_hash": pl.String,
        "generation": pl.Int64,
        "files": pl.String,
        "problem": pl.String,
        "delta_version": pl.Int64,
    }
)
"""Columns of the ledger's table."""

_TAGS: Final = ("run_id", "fingerprints", "partitions", "files")

COMMIT: Final = pl.Schema({"delta_version": pl.Int64, "timestamp": pl.Int64, **dict.fromkeys(_TAGS, pl.String)})
"""The facts read of a commit: its version, when it was made (Unix milliseconds), and the tags of ``commit_tags``."""

_FACTS: Final = (
    *("partition_start", "as_of", "available_at", "rows", "excluded"),
    *("content_hash", "column_sums", "inputs_hash"),
)
_TAGGED: Final = pl.Schema({**{name: SCHEMA[name] for name in _FACTS}, "lacks": pl.List(pl.String)})
"""The tags of each partition; ``lacks``: the fingerprints that it has not."""


@dataclass(frozen=True)
class LandedPartition:
    """The facts of a partition when it is written.

    Attributes:
        partition_start: start of its span.
        as_of: end of its span; the instant that values describe.
        available_at: from when its values may be used; counts only the first time the partition is written.
        content: number of its rows, and the sums of their columns.
        inputs_hash: hash of what they were computed from; None: they were not.
        fingerprints: fingerprint by column of everything that was computed.
        excluded: rows that were left out: of tiles for want of a key, of a source for want of a time.
    """

    partition_start: datetime
    as_of: datetime
    available_at: datetime
    content: Content
    inputs_hash: str | None = None
    fingerprints: Mapping[str, str] = field(default_factory=dict[str, str])
    excluded: int = 0

    @property
    def facts(self) -> dict[str, object]:
        """The part of it that is tagged and listed as it is."""
        held = {"rows": self.content.rows, "content_hash": self.content.digest, "column_sums": self.content.text}
        return {name: (vars(self) | held)[name] for name in _FACTS}


def commit_tags(partitions: Sequence[LandedPartition], run_id: str) -> dict[str, str]:
    """Return the tags of the commit that writes some partitions, all computed by one definition."""
    fingerprints = {name: of for partition in partitions for name, of in partition.fingerprints.items()}
    records = [{**each.facts, "lacks": sorted(fingerprints.keys() - each.fingerprints)} for each in partitions]
    facts = pl.DataFrame(records, schema=_TAGGED)
    return {"run_id": run_id, "fingerprints": _text(fingerprints), "partitions": facts.write_json()}


def entries_of(commits: pl.DataFrame) -> pl.DataFrame:
    """Return the ledger's entries of some commits, which have the columns of ``COMMIT``."""
    entries = [_entries_of(**commit) for commit in commits.iter_rows(named=True)]
    return pl.concat([pl.DataFrame(schema=SCHEMA), *entries], how="diagonal")


def _entries_of(
    *,
    delta_version: int,
    timestamp: int,
    run_id: str | None,
    fingerprints: str | None,
    partitions: str | None,
    files: str | None,
) -> pl.DataFrame:
    added = [] if files is None else [{"kind": FILES, "delta_version": delta_version, "files": files}]
    common = {"run_id": run_id, "delta_version": delta_version, "landed_at": from_microseconds(timestamp * 1000)}
    if partitions is None or fingerprints is None:
        return pl.DataFrame([{"kind": UNCHANGED, **common}], schema=SCHEMA)
    computed: dict[str, str] = json.loads(fingerprints)
    facts = pl.read_json(StringIO(partitions), schema=_TAGGED)
    held = [
        _text({name: of for name, of in computed.items() if name not in lacks}) for lacks in facts["lacks"].to_list()
    ]
    known = facts.drop("lacks").with_columns(pl.Series("fingerprints", held, pl.String))
    landed = known.with_columns(
        pl.lit(value, SCHEMA[name]).alias(name) for name, value in {"kind": LANDED, **common}.items()
    )
    return pl.concat([landed, pl.DataFrame(added, schema=SCHEMA)], how="diagonal")


def file_entries(checksums: pl.DataFrame) -> pl.DataFrame:
    """Return one entry per commit of the files that it added; see ``stored_files.checksums_of``."""
    entries = checksums.with_columns(pl.lit(FILES).alias("kind"))
    return pl.concat([pl.DataFrame(schema=SCHEMA), entries], how="diagonal")


def _text(fingerprints: Mapping[str, str]) -> str:
    return json.dumps(fingerprints, sort_keys=True)


def current_state(entries: pl.DataFrame) -> pl.DataFrame:
    """Reduce ledger entries, in any order and some of them twice, to the current state of partitions.

    Returns:
        One row per landed partition, sorted by ``partition_start``. Columns: ``partition_start, as_of, available_at,
        landed_at, published_at`` (when it was first published; null: never), ``run_id, rows, excluded, fingerprints``
        (JSON), ``content_hash, column_sums`` (null: written before there were any), ``inputs_hash, generation`` (the
        last one published) and ``delta_version``.
    """
    current = _uncovered(_landed(entries).group_by("partition_start", maintain_order=True).last())
    published = (
        entries.filter(pl.col("kind") == PUBLISHED)
        .sort("published_at", "generation")
        .group_by("partition_start")
        .agg(pl.col("published_at").first(), pl.col("generation").last())
    )
    return current.join(published, on="partition_start", how="left").select(_STATE).sort("partition_start")


def damaged_days(entries: pl.DataFrame) -> pl.DataFrame:
    """Return the days that were found to be damaged, and were neither written again since nor found to be sound.

    Returns:
        One row per physical day: ``day, partition_start`` (of a damaged partition), ``problem, found_at``.
    """
    day = pl.col("partition_start").dt.date().alias("day")
    written = current_state(entries).group_by(day).agg(pl.col("delta_version").min().alias("written"))
    found = (
        entries.filter(pl.col("kind") == DAMAGED, pl.col("generation").is_null())
        .sort("delta_version", "landed_at")
        .group_by(day, maintain_order=True)
        .last()
        .join(written, on="day", how="left")
        .filter(
            pl.col("problem").is_not_null(),
            pl.col("written").is_null() | (pl.col("written") <= pl.col("delta_version")),
        )
    )
    return found.select("day", "partition_start", "problem", pl.col("landed_at").alias("found_at")).sort("day")


def damaged_generations(entries: pl.DataFrame) -> pl.DataFrame:
    """Return the online generations that were found to be damaged, and were neither replaced since nor found sound.

    Returns:
        One row per generation: ``partition_start, generation, problem, found_at``.
    """
    found = (
        entries.filter(pl.col("kind") == DAMAGED, pl.col("generation").is_not_null())
        .sort("landed_at")
        .group_by("partition_start", "generation", maintain_order=True)
        .last()
        .filter(pl.col("problem").is_not_null())
    )
    found = found.select("partition_start", "generation", "problem", pl.col("landed_at").alias("found_at"))
    return found.sort("partition_start", "generation")


def published_rows(entries: pl.DataFrame, partition_start: datetime, content_hash: str) -> int | None:
    """Return how many rows a content of a partition had when it was published last; None: that is not known."""
    same = (pl.col("partition_start") == partition_start) & (pl.col("content_hash") == content_hash)
    published = entries.filter(pl.col("kind") == PUBLISHED, same, pl.col("rows").is_not_null())
    return published.sort("published_at", "generation")["rows"].to_list()[-1] if published.height else None


def publications(entries: pl.DataFrame) -> pl.DataFrame:
    """Return what the online store held: per publication, what the published version holds of the partition.

    Returns:
        The columns of ``current_state``, but ``published_at``, ``generation`` and ``delta_version`` are the
        publication's; sorted by ``as_of`` and then in the order in which they were published.
    """
    published = entries.filter(pl.col("kind") == PUBLISHED).select(
        "partition_start", "delta_version", "published_at", "generation"
    )
    found = (
        published.unique()
        .sort("delta_version")
        .join_asof(
            _landed(entries).sort("delta_version"), on="delta_version", by="partition_start", check_sortedness=False
        )
    )
    return found.drop_nulls("landed_at").select(_STATE).sort("as_of", "published_at", "generation")


def _landed(entries: pl.DataFrame) -> pl.DataFrame:
    """Return the landed entries, each once, in the order of the commits, with their partition's first available-at."""
    landed = entries.filter(pl.col("kind") == LANDED).unique(["partition_start", "delta_version"])
    landed = landed.drop("published_at", "generation", "files", "problem").sort("partition_start", "delta_version")
    return landed.with_columns(pl.col("available_at").first().over("partition_start"))


def _uncovered(current: pl.DataFrame) -> pl.DataFrame:
    """Return partitions, sorted by their start, without those that a longer one replaced which was written later."""
    reached = pl.col("as_of").cum_max().shift()
    if current.filter(pl.col("partition_start") < reached).is_empty():
        return current
    kept: list[int] = []
    spans = current.select("partition_start", "as_of", "delta_version").rows()
    for place, (start, _, version) in enumerate(spans):
        if not kept or start >= spans[kept[-1]][1] or version > spans[kept[-1]][2]:
            kept.append(place)
    return current[kept]


_STATE: Final = [name for name in SCHEMA if name not in ("kind", "files", "problem")]
