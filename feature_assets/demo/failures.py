"""Failures while the rest went on: a line each at the end, and the tracebacks in a file."""

from __future__ import annotations

import traceback
from pathlib import Path

from rich.console import Console

from feature_assets.backfill.backfill import Backfill
from feature_assets.project import Declarations


def report_failures(console: Console, state: Path, declared: Declarations, backfill: Backfill) -> bool:
    """Say which teams, code locations, sources and views failed; return whether any did."""
    lines = [str(broken) for broken in declared.broken]
    lines += [f"the code location {name} is broken: {problem}" for name, problem in backfill.makers.broken.items()]
    lines += [f"{name} failed: {_first_line(failure.error)}" for name, failure in backfill.failed.items()]
    lines += [
        f"{name} was not computed, since its source {view.source.asset} failed"
        for name, view in backfill.views.items()
        if name not in backfill.failed and view.source.asset in backfill.failed
    ]
    for line in lines:
        console.print(line, style="red", markup=False, highlight=False, soft_wrap=True)
    if backfill.failed:
        log = state / "demo.log"
        traces = (traceback.format_exception(failure.error) for failure in backfill.failed.values())
        log.write_text("\n".join("".join(trace) for trace in traces))
        console.print(f"The tracebacks are in {log}.", style="red", markup=False, highlight=False, soft_wrap=True)
    if lines:
        console.print("Everything else went on. Mend the causes; `make demo` then goes on from here.")
    return bool(lines)


def _first_line(error: BaseException) -> str:
    return (str(error).strip() or type(error).__name__).splitlines()[0]
