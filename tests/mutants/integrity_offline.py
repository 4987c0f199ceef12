"""Mistakes in what keeps damaged files, logs, ledgers and records of the offline store from being believed."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from tests.mutants.mutant import Mutant

_FILES: Final = "tests/offline/test_damaged_files.py::test_"
_RECORDS: Final = "tests/offline/test_damaged_records.py::test_"
_VERIFY: Final = "tests/offline/test_verify.py::test_"
_READS: Final = "feature_store/offline/tables/verified_reads.py"
_TABLE: Final = "feature_store/offline/tables/open_table.py"
_STORED: Final = "feature_store/offline/delta/stored_files.py"
_LEDGER: Final = "feature_store/offline/delta/commit_ledger.py"
_ENTRIES: Final = "feature_store/offline/ledger/ledger_entries.py"

_DAMAGED_FILE: Final = f"{_FILES}a_damaged_file_is_an_error_that_names_view_partition_file_and_cure"
_LONGER: Final = f"{_FILES}a_file_that_became_longer_since_its_bytes_were_compared_is_noticed"
_COMPARED: Final = f"{_RECORDS}rows_are_compared_by_joins_training_sets_and_whatever_is_computed"
_LISTED_AGAIN: Final = f"{_RECORDS}a_file_that_was_replaced_and_is_listed_again_is_noticed_by_who_reads_a_row"
_CHANGED_ENTRY: Final = f"{_RECORDS}an_entry_of_a_ledger_that_was_changed_is_refused_by_readers_and_writers"
_STORAGE: Final = "tests/offline/test_storage_errors.py::test_"
_STATE: Final = f"{_RECORDS}a_damaged_state_is_computed_again_and_what_needs_it_goes_on"
_STAGED: Final = f"{_RECORDS}a_staged_file_is_known_by_what_was_to_be_written_to_it"
_TILES: Final = f"{_RECORDS}tiles_of_a_feature_that_changed_are_refused_where_they_are_written"
_LOST: Final = f"{_RECORDS}newest_commits_that_were_lost_are_told_and_can_be_given_up"
_MANIFEST: Final = f"{_RECORDS}a_manifest_that_was_changed_exchanged_or_lost_is_refused"
_PLAN: Final = f"{_RECORDS}a_plan_of_which_a_letter_was_changed_is_refused"
_NOTED: Final = f"{_VERIFY}a_reader_that_fails_lists_the_damage_once_until_the_day_is_written_again"

INTEGRITY_OFFLINE: Final[Sequence[Mutant]] = (
    Mutant("sizes of files are not compared", _STORED, "if found != size:", "if found < 0:", test=_LONGER),
    Mutant(
        "bytes of files are not compared",
        _STORED,
        "if _crc(store, path) != crc:",
        "if _crc(store, path) < 0:",
        test=_DAMAGED_FILE,
    ),
    Mutant(
        "a file that is missing has no rows",
        _STORED,
        'return "it is missing"',
        "return None",
        test=_DAMAGED_FILE,
    ),
    Mutant(
        "only the first piece of a file is compared",
        _STORED,
        "crc, left = zlib.crc32(piece, crc), left - len(piece)",
        "crc, left = zlib.crc32(piece[:64], crc), left - len(piece)",
        test=f"{_RECORDS}a_file_that_was_damaged_since_it_was_staged_is_not_committed",
    ),
    Mutant(
        "sums are not compared",
        _READS,
        "            if differing:\n                yield start,",
        "            if not differing:\n                yield start,",
        test=_COMPARED,
    ),
    Mutant(
        "rows are compared only where nothing is left out",
        _READS,
        "            for frame in self._pieces(partitions, wanted, None, files):",
        "            for frame in pl.scan_delta(self.table).filter(pl.col(_START).is_in(partitions[_START].implode()))"
        ".select(wanted).collect().iter_slices():",
        test=_COMPARED,
    ),
    Mutant(
        "who reads a few rows believes files that nobody knows",
        _READS,
        'files["crc"].has_nulls() or ',
        "",
        test=_COMPARED,
    ),
    Mutant(
        "bounds of the log leave files out",
        _READS,
        'rows = self._scan_files(files["path"].to_list(), stored, partitions[_START])',
        'rows = pl.scan_delta(self.table).filter(pl.col(_START).is_in(partitions[_START].implode())).drop("day")',
        test=f"{_RECORDS}bounds_in_the_log_that_are_wrong_leave_no_row_out",
    ),
    Mutant(
        "rows of days are not counted",
        _READS,
        'counts.filter(pl.col("said") != pl.col("rows"))',
        'counts.filter(pl.col("said") < 0)',
        test=f"{_FILES}a_file_that_the_log_lists_no_more_is_noticed",
    ),
    Mutant(
        "files that were replaced are read",
        _READS,
        'pl.col("added_by") < pl.col("written")',
        'pl.col("added_by") < 0',
        test=_LISTED_AGAIN,
    ),
    Mutant(
        "a file as old as its day counts as replaced",
        _READS,
        'pl.col("added_by") < pl.col("written")',
        'pl.col("added_by") <= pl.col("written")',
        test=f"{_FILES}columns_that_are_read_are_compared_and_no_others",
    ),
    Mutant(
        "columns that the log lost are read as null",
        _READS,
        "            if lost:\n",
        "            if not lost:\n",
        test=f"{_RECORDS}a_column_that_the_log_lost_is_noticed",
    ),
    Mutant("damage is not listed", _READS, "        self.note(damage)\n", "", test=_NOTED),
    Mutant(
        "damage is listed each time",
        _TABLE,
        'if damage.told not in self.damaged["problem"]:',
        "if damage.told:",
        test=_NOTED,
    ),
    Mutant(
        "damage is forgotten when another day is written",
        _ENTRIES,
        '.agg(pl.col("delta_version").min().alias("written"))',
        '.agg((pl.col("delta_version").min() + 99).alias("written"))',
        test=_NOTED,
    ),
    Mutant(
        "digests of entries are not compared",
        _LEDGER,
        "        if changed.any():",
        "        if changed.all() and not changed.any():",
        test=_CHANGED_ENTRY,
    ),
    Mutant(
        "entries belong to any table",
        "feature_store/codec/content_hash.py",
        '_seed(f"owner {owner}")',
        '_seed("owner")',
        test=f"{_RECORDS}the_ledger_of_another_table_is_refused",
    ),
    Mutant(
        "what a commit says of itself is believed",
        _LEDGER,
        "if record_digest(self._name, told) != commit[DIGEST]:",
        "if not commit[DIGEST]:",
        test=f"{_RECORDS}what_a_commit_says_of_itself_is_refused_once_it_was_changed",
    ),
    Mutant(
        "a log may end before what its ledger lists",
        _LEDGER,
        "        if version < newest:\n",
        "        if version < -1:\n",
        test=_LOST,
    ),
    Mutant(
        "a table whose log is gone is empty",
        _LEDGER,
        "        version = -1 if table is None else table.version()\n        newest:",
        "        version = 9999 if table is None else table.version()\n        newest:",
        test=f"{_RECORDS}a_table_whose_log_is_gone_is_damaged_and_not_merely_empty",
    ),
    Mutant(
        "commits that are lost are not given up",
        _LEDGER,
        'ledger.delete(f"delta_version > {version}")',
        'ledger.delete(f"delta_version > {version + 1}")',
        test=_LOST,
    ),
    Mutant(
        "errors of a ledger's files come raw",
        _LEDGER,
        'with as_damage(self.uri, lambda said: self._damaged(f"it cannot be read ({said})")):\n            # One',
        "if ledger is not None:\n            # One",
        test=f"{_RECORDS}a_ledger_whose_file_is_damaged_is_an_error_of_ours",
    ),
    Mutant(
        "trouble of the storage passes for damage",
        "feature_store/offline/delta/faults.py",
        'raise storage_error(error, place, "it cannot be read") or damaged(told(error)) from error',
        "raise damaged(told(error)) from error",
        test=f"{_STORAGE}a_store_that_may_not_be_entered_is_not_taken_for_one_without_tables",
    ),
    Mutant(
        "a file that may not be read is listed as damaged",
        _STORED,
        "            if trouble is not None:\n",
        "            if trouble is None:\n",
        test=f"{_STORAGE}trouble_while_a_file_is_read_lists_no_damage",
    ),
    Mutant(
        "a store that may not be entered is one without tables",
        "feature_store/offline/delta/commits.py",
        'if storage_error(error, uri, "") is not None:',
        'if storage_error(error, uri, "") is None and uri == "":',
        test=f"{_STORAGE}a_store_that_may_not_be_entered_is_not_taken_for_one_without_tables",
    ),
    Mutant(
        "manifests are not compared with their ids",
        "feature_store/offline/training/manifests.py",
        "if _id_of(texts[id_]) != id_:",
        "if not texts[id_]:",
        test=_MANIFEST,
    ),
    Mutant(
        "plans are not compared with their digests",
        "feature_store/plans/service_plan.py",
        "digest is not None and digest != _digest(record)",
        "digest is not None and not digest",
        test=_PLAN,
    ),
    Mutant(
        "notes of stages are believed",
        "feature_store/offline/delta/stages.py",
        "is_own = digest is None or digest == record_digest(table_name(uri), record)",
        "is_own = True",
        test=f"{_RECORDS}by_a_changed_note_of_a_stage_nothing_is_removed",
    ),
    Mutant(
        "definitions in the log are believed",
        "feature_store/offline/tables/definitions.py",
        "digest is not None and digest != record_digest(_PROPERTY, text)",
        "digest is not None and not digest",
        test=f"{_RECORDS}definitions_in_the_log_that_were_changed_are_refused",
    ),
    Mutant(
        "tiles are written whatever their features mean",
        "feature_store/offline/tables/view_tables.py",
        "agree(current.table, self._view.full_name, definitions_of(self._view), {})",
        "return",
        test=_TILES,
    ),
    Mutant(
        "a feature that was dropped still stands in the tiles",
        "feature_store/offline/tables/view_tables.py",
        "        retry_commit(lambda: self._drop_from_tiles(name))\n",
        "",
        test=f"{_RECORDS}a_feature_that_was_dropped_may_be_left_out_of_tiles",
    ),
    Mutant(
        "a damaged state is read again and again",
        "feature_store/offline/materialize/plans.py",
        ".filter(sound).reverse()",
        ".reverse()",
        test=_STATE,
    ),
    Mutant(
        "damaged states are not repaired",
        "feature_store/offline/materialize/repair.py",
        "    if view.has_all_history:\n",
        "    if not view.has_all_history:\n",
        test=_STATE,
    ),
    Mutant(
        "what was staged is known only once it was read back",
        "feature_store/offline/tables/partitioned_table.py",
        "if whole_days else told)",
        "if not whole_days else told)",
        test=_STAGED,
    ),
    Mutant(
        "a staged file is committed whatever became of it",
        "feature_store/offline/delta/staged_files.py",
        "    for _, problem in damaged_files(uri, options, listed):",
        "    for _, problem in damaged_files(uri, options, listed.clear()):",
        test=f"{_RECORDS}a_file_that_was_damaged_since_it_was_staged_is_not_committed",
    ),
    Mutant(
        "upkeep writes damaged days anew",
        "feature_store/offline/tables/partitioned_table.py",
        'return current.read(current.partitions.filter(pl.col("partition_start").dt.date() == day))',
        'return pl.scan_delta(table).filter(pl.col("day") == day).drop("day").collect()',
        test=f"{_FILES}upkeep_leaves_a_damaged_day_as_it_is",
    ),
)
"""Each is planted alone."""
