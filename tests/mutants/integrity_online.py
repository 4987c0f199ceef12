"""Mistakes in what keeps damaged, lost or foreign rows of the online store from being served, or from being missed."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from tests.mutants.mutant import Mutant

_VERIFY: Final = "tests/serving/load/test_verify_online.py::test_"
_STREAMS: Final = "tests/serving/load/test_verify_streams_online.py::test_"
_DISASTERS: Final = "tests/serving/load/test_disasters.py::test_"
_LOADERS: Final = "tests/stores/test_loader_failures.py::test_"
_LISTS: Final = "tests/stores/test_damaged_lists.py::test_"
_WRITER: Final = "tests/serving/streams/test_writer.py::test_"
_ANSWERS: Final = "tests/serving/test_damaged_answers.py::test_"

_COMPARED: Final = "serving/load/compared_rows.py"
_COMPARED_STREAMS: Final = "serving/load/compared_streams.py"
_VERIFYING: Final = "serving/load/verify.py"
_LANDED: Final = "serving/load/landed.py"
_SYNC: Final = "serving/load/sync.py"
_SNAPSHOT: Final = "serving/stores/snapshot.py"
_SEALED: Final = "feature_store/codec/sealed_rows.py"
_RECORDS: Final = "serving/stores/records.py"
_ENTRIES: Final = "feature_store/offline/ledger/ledger_entries.py"

_TOLD_APART: Final = f"{_VERIFY}a_damaged_row_is_told_apart_from_one_that_is_missing_or_of_other_values"
_REPLACED: Final = f"{_VERIFY}damage_is_listed_once_and_the_next_load_replaces_it"
_STREAM_ROWS: Final = f"{_STREAMS}a_row_of_the_stream_that_is_gone_or_of_before_is_found_though_its_checksum_is_right"
_SOUND_AGAIN: Final = f"{_VERIFY}damage_that_is_there_no_more_is_sound_again"
_BATCH_READ: Final = f"{_ANSWERS}a_batch_read_of_the_client_is_null_and_damaged_where_rows_are_and_right_elsewhere"
_OWN_ENTITY: Final = "tests/stores/test_readers.py::test_a_damaged_row_costs_its_own_entity_alone"
_FULL: Final = f"{_DISASTERS}a_store_that_is_full_in_the_middle_of_a_load_serves_what_it_has_and_has_room_again"

INTEGRITY_ONLINE: Final[Sequence[Mutant]] = (
    Mutant(
        "damaged rows online are not counted",
        _COMPARED,
        "damaged, missing = int(np.count_nonzero(_damaged(generation, left, keys))), left.count(None)",
        "damaged, missing = 0, left.count(None)",
        test=_TOLD_APART,
    ),
    Mutant(
        "missing rows online are not counted",
        _COMPARED,
        "damaged, missing = int(np.count_nonzero(_damaged(generation, left, keys))), left.count(None)",
        "damaged, missing = int(np.count_nonzero(_damaged(generation, left, keys))), 0",
        test=_TOLD_APART,
    ),
    Mutant(
        "a whole row of other values is taken for right",
        _COMPARED,
        "Differences(len(rows), damaged, missing, len(left) - damaged - missing - same)",
        "Differences(len(rows), damaged, missing, 0)",
        test=_TOLD_APART,
    ),
    Mutant(
        "rows of the former format are of other values",
        _COMPARED,
        "same = sum(row == own for row, own in renewed)",
        "same = sum(row is own for row, own in renewed)",
        test=f"{_VERIFY}rows_of_the_former_format_are_compared_by_their_values",
    ),
    Mutant(
        "only half of the rows are compared",
        _COMPARED,
        "chosen = random.random(len(entities)) < share",
        "chosen = random.random(len(entities)) < share / 2",
        test=f"{_VERIFY}what_was_loaded_is_sound_and_every_row_was_looked_at",
    ),
    Mutant(
        "rows that nothing vouches for are missing",
        _COMPARED,
        'raise RowsGoneError(f"nothing vouches for the rows of {owner.id} any more")',
        "return [None] * len(entities)",
        test=f"{_VERIFY}a_generation_that_is_replaced_while_it_is_verified_is_no_damage",
    ),
    Mutant(
        "a generation that was replaced meanwhile is damage",
        _VERIFYING,
        "if generation not in self._online.inspector.generations(self._view.full_name):",
        "if generation.id < 0:",
        test=f"{_VERIFY}a_generation_that_is_replaced_while_it_is_verified_is_no_damage",
    ),
    Mutant(
        "a copy that the store lost is due",
        _VERIFYING,
        'if (row["as_of"], row["content_hash"]) in published:',
        'if (row["as_of"], row["content_hash"]) in published and row["rows"] < 0:',
        test=f"{_VERIFY}a_store_that_lost_everything_lacks_what_the_ledger_lists",
    ),
    Mutant(
        "a copy that was never loaded is lost",
        _VERIFYING,
        'if (row["as_of"], row["content_hash"]) in published:',
        "if published:",
        test=f"{_VERIFY}what_landed_and_was_not_loaded_yet_is_due_and_no_damage",
    ),
    Mutant(
        "damage is listed each time that it is met",
        _VERIFYING,
        "if noted.get((start, generation)) != problem:",
        "if problem or noted:",
        test=_REPLACED,
    ),
    Mutant(
        "a sample acquits",
        _VERIFYING,
        "if self._online.sample is None or key not in there}",
        "if key}",
        test=_SOUND_AGAIN,
    ),
    Mutant(
        "damage stays listed that is there no more",
        _VERIFYING,
        "noted.keys() - wrong.keys()",
        "wrong.keys() - noted.keys()",
        test=_SOUND_AGAIN,
    ),
    Mutant(
        "a record of fewer rows than the partition has is believed",
        _VERIFYING,
        "if count != generation.rows:",
        "if count < generation.rows:",
        test=f"{_VERIFY}a_record_that_says_another_number_of_rows_is_found",
    ),
    Mutant(
        "rows that nobody loaded are not looked for",
        _VERIFYING,
        "return len(found) - known",
        "return min(0, len(found) - known)",
        test=f"{_VERIFY}a_row_of_an_entity_that_was_never_loaded_is_found",
    ),
    Mutant(
        "a copy is compared with what was written since",
        _VERIFYING,
        'versions = [self._opened.version, *reversed(published["delta_version"].to_list())]',
        "versions = [self._opened.version]",
        test=f"{_VERIFY}a_generation_of_a_partition_that_was_written_again_is_compared_with_what_it_was_loaded_from",
    ),
    Mutant(
        "a copy of a damaged partition is sound",
        _VERIFYING,
        "self._add(OnlineDamage(from_microseconds(generation.as_of), None, problem))",
        "del problem",
        test=f"{_VERIFY}a_partition_that_is_damaged_itself_is_told_and_its_copy_is_checked_by_its_checksums",
    ),
    Mutant(
        "a load is asked for that mends nothing",
        _VERIFYING,
        'wanted = wanted_partitions(opened.partitions, now)[1].select("partition_start", "as_of")',
        'wanted = opened.partitions.select("partition_start", "as_of")',
        test=f"{_VERIFY}a_damaged_generation_that_only_waits_to_be_restored_goes_with_the_next_load",
    ),
    Mutant(
        "damaged rows of a stream are not told",
        _VERIFYING,
        "if found.damaged else []",
        "if found.damaged > found.rows else []",
        test=f"{_STREAMS}rows_of_the_stream_are_checked_and_told_apart_from_what_a_load_mends",
    ),
    Mutant(
        "a copy that is known to be damaged is not loaded again",
        _SNAPSHOT,
        "self.rows in (None, generation.rows) and generation.id not in self.damaged",
        "self.rows in (None, generation.rows)",
        test=_REPLACED,
    ),
    Mutant(
        "a copy of fewer rows is one",
        _SNAPSHOT,
        "self.rows in (None, generation.rows) and generation.id not in self.damaged",
        "generation.id not in self.damaged",
        test=f"{_LOADERS}a_generation_with_fewer_rows_than_its_snapshot_is_no_copy_of_it",
    ),
    Mutant(
        "a damaged copy can be restored",
        _SNAPSHOT,
        "return generation.id in self.damaged or (generation.as_of, generation.content_hash) == self.content",
        "return generation.id in self.damaged and generation.rows < 0",
        test=_REPLACED,
    ),
    Mutant(
        "a load of too few rows is published",
        _SNAPSHOT,
        "if self.rows not in (None, written):",
        "if self.rows is not None and self.rows < written:",
        test=f"{_LOADERS}a_load_of_other_rows_than_the_snapshot_has_is_not_published",
    ),
    Mutant(
        "a number that a restored store gives again hides what was published",
        _SYNC,
        "if (as_of, published_at, report.generation) not in known:",
        "if (as_of, report.generation) not in [(at, number) for at, _, number in known]:",
        test=f"{_DISASTERS}a_number_that_a_restored_store_gives_again_does_not_hide_what_was_published",
    ),
    Mutant(
        "the entities of batch tiles are not counted",
        _SYNC,
        "snapshot = replace(snapshot, rows=rows)",
        "snapshot = replace(snapshot, rows=snapshot.rows if rows else None)",
        test=f"{_STREAMS}a_load_that_loses_an_entity_of_the_tiles_is_not_published",
    ),
    Mutant(
        "damage of a copy stays listed after it was replaced",
        _SYNC,
        "if generation not in kept:",
        "if generation in kept:",
        test=_REPLACED,
    ),
    Mutant(
        "the count of batch tiles is not compared with the ledger's",
        _LANDED,
        "return replace(tiles, rows=published_rows(self.opened.entries, start, tiles.content_hash))",
        "return replace(tiles, rows=None if start else published_rows(self.opened.entries, start, tiles.content_hash))",
        test=f"{_STREAMS}a_generation_whose_record_counts_other_entities_than_were_loaded_is_loaded_again",
    ),
    Mutant(
        "rows are read that nothing vouches for",
        "serving/stores/redis/read/inspector.py",
        "if voucher != owner.voucher:",
        "if voucher and voucher != owner.voucher:",
        test="tests/stores/test_inspector.py::test_rows_are_none_at_all_where_nothing_vouches_for_them",
    ),
    Mutant(
        "the rows of a load that met a full store stay",
        "serving/stores/redis/write/loader.py",
        "                    publication.drop_unlisted()\n                    raise",
        "                    raise",
        test=_FULL,
    ),
    Mutant(
        "no lease can be had in a full store",
        "serving/stores/redis/write/lease.py",
        "redis.call('DEL', KEYS[1])\nlocal id",
        "local id",
        test=f"{_DISASTERS}rows_of_a_loader_that_died_in_a_full_store_are_dropped_by_the_next_one",
    ),
    Mutant(
        "nothing can leave the list of a full store",
        "serving/stores/redis/write/publication.py",
        "redis.call('DEL', KEYS[4])\nredis.call('SET', KEYS[2], ARGV[2])",
        "redis.call('SET', KEYS[2], ARGV[2])",
        test=f"{_DISASTERS}a_view_can_be_restored_and_dropped_in_a_full_store",
    ),
    Mutant(
        "a full store is told as one that does not answer",
        "serving/stores/redis/connection.py",
        "except OutOfMemoryError as error:",
        "except ZeroDivisionError as error:",
        test=_FULL,
    ),
    Mutant(
        "checksums of rows are not compared",
        _SEALED,
        "return _word(rows, _CHECKSUM) == sums",
        "return (sums | np.uint32(1)) != 0",
        test=_OWN_ENTITY,
    ),
    Mutant(
        "the key is not part of the checksum",
        _SEALED,
        "total += _sums(keys, _OF_KEYS)",
        "total += np.uint64(_OF_KEYS)",
        test=_OWN_ENTITY,
    ),
    Mutant(
        "bytes of the next row count in the checksum of a shorter one",
        "feature_store/codec/byte_strings.py",
        "tail &= _first_bytes(lengths - common, rest)",
        "tail &= _first_bytes(np.full(len(lengths), rest), rest)",
        test=_BATCH_READ,
    ),
    Mutant(
        "a damaged row is an entity without events",
        "serving/read/snapshot_decoder.py",
        "codes[decoded.damaged] = Status.DAMAGED",
        "codes[decoded.damaged] = Status.EMPTY",
        test=_BATCH_READ,
    ),
    Mutant(
        "a damaged row has the values of one without events",
        "serving/read/snapshot_decoder.py",
        "empty = ~(decoded.present | decoded.damaged)",
        "empty = ~decoded.present",
        test=_BATCH_READ,
    ),
    Mutant(
        "a damaged row of the stream has no events",
        "serving/read/stream_decoder.py",
        "damaged = batch.damaged | live.damaged",
        "damaged = batch.damaged.copy()",
        test=f"{_WRITER}a_damaged_row_is_null_for_its_entity_and_its_writer_adds_nothing_to_it",
    ),
    Mutant(
        "batch tiles of another day are counted",
        "serving/read/stream_decoder.py",
        "damaged[np.flatnonzero(batch.present)[batch.complete_since != generation.as_of]] = True",
        "damaged[np.flatnonzero(batch.present)[batch.complete_since > generation.as_of]] = True",
        test=f"{_WRITER}batch_rows_of_another_as_of_are_damaged",
    ),
    Mutant(
        "a list of generations that is gone was never there",
        _RECORDS,
        "if record.digest is not None:\n",
        "if record.digest == b'':\n",
        test=f"{_LISTS}a_damaged_pointer_fails_its_view_alone_until_the_next_load",
    ),
    Mutant(
        "a list of generations that was changed is believed",
        _RECORDS,
        "stated != {record_digest(owner, listed)}",
        "not stated",
        test=f"{_LISTS}a_damaged_pointer_fails_its_view_alone_until_the_next_load",
    ),
    Mutant(
        "an earlier list of generations is believed",
        _RECORDS,
        "stated != {record.digest.decode()}",
        "not stated",
        test=f"{_LISTS}a_damaged_pointer_fails_its_view_alone_until_the_next_load",
    ),
    Mutant(
        "a list of another view is as good as its own",
        "serving/stores/generations.py",
        'return f"{view} generations"',
        'return "generations"',
        test="tests/serving/stores/test_generations.py::"
        "test_a_list_is_of_its_own_view_even_where_its_digest_came_along",
    ),
    Mutant(
        "verifying finds nothing wrong with a list that cannot be read",
        _VERIFYING,
        "self._add(OnlineDamage(None, None, str(problem)))",
        "pass",
        test=f"{_VERIFY}a_list_of_generations_that_is_gone_or_damaged_is_found_and_the_next_load_writes_it_anew",
    ),
    Mutant(
        "a row of the stream that is gone is not told",
        _COMPARED_STREAMS,
        "is_due & ~decoded.present & ~decoded.damaged",
        "is_due & decoded.damaged",
        test=_STREAM_ROWS,
    ),
    Mutant(
        "a row of the stream of before is taken for the newest",
        _COMPARED_STREAMS,
        "differ & decoded.present",
        "differ & decoded.damaged",
        test=_STREAM_ROWS,
    ),
    Mutant(
        "what may be under way to the store is missed there",
        _COMPARED_STREAMS,
        "self._tiles(opened, writes.head(-1), ended)",
        "self._tiles(opened, writes, ended)",
        test=f"{_STREAMS}a_write_that_reached_the_copy_alone_so_far_is_no_difference",
    ),
    Mutant(
        "a damaged copy online is a damaged day",
        _ENTRIES,
        'pl.col("kind") == DAMAGED, pl.col("generation").is_null()',
        'pl.col("kind") == DAMAGED, pl.col("generation").is_null() | (pl.col("generation") > 0)',
        test=_REPLACED,
    ),
)
"""Each is planted alone."""
