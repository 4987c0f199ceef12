"""Endings of the demo: well, by Ctrl-C, by a stage that fails, or by a wrong setting; no traceback fills the screen."""

from __future__ import annotations

import shutil
import sys
import traceback
from pathlib import Path
from typing import Final

from feature_assets.backfill.stage_error import StageError
from feature_store.errors import FeatureStoreError
from resources.settings import Settings

INTERRUPTED: Final = 130

_FULL: Final = 100_000_000
"""A disk with fewer free bytes is as good as full."""


def main() -> int:
    """Run the demo; return its exit code: 1 for a failure or a difference, 2 for a wrong setting, 130 for Ctrl-C."""
    try:
        settings = Settings.from_environment()
    except FeatureStoreError as error:
        print(error, file=sys.stderr)
        return 2
    try:
        from feature_assets.demo.main_job import run  # noqa: PLC0415 - takes seconds, in which Ctrl-C is pressed too

        return run(settings)
    except KeyboardInterrupt:
        print("Stopped; `make demo` goes on from here.", file=sys.stderr)
        return INTERRUPTED
    except Exception as error:  # noqa: BLE001 - all of it is kept in a file
        print("\n".join(_report(error, settings.state)), file=sys.stderr)
        return 1


def describe_failure(error: BaseException, folder: Path, free_bytes: int) -> list[str]:
    """Return a failure in a line, and a second one if the disk is full.

    Args:
        error: what was raised, by a stage or outside of any.
        folder: of the state.
        free_bytes: on its disk.
    """
    cause = error if error.__cause__ is None else error.__cause__
    first_line = (str(cause).strip() or type(cause).__name__).splitlines()[0]
    what = f"{error} failed" if isinstance(error, StageError) else "The demo failed"
    lines = [f"{what}: {first_line}"]
    if free_bytes < _FULL:
        lines.append(f"The disk of {folder} is full: {free_bytes // 1_000_000} MB are free.")
    return lines


def _report(error: BaseException, folder: Path) -> list[str]:
    lines = describe_failure(error, folder, shutil.disk_usage(folder).free)
    log = folder / "demo.log"
    try:
        log.write_text("".join(traceback.format_exception(error)))
    except OSError as failure:
        return [
            *lines,
            f"The traceback could not be kept: {failure}. Mend the cause; `make demo` then goes on from here.",
        ]
    return [*lines, f"The whole traceback is in {log}. Mend the cause; `make demo` then goes on from here."]
