"""Stages of a backfill: what is going on, how far it is, and how long each part took."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TaskID, TextColumn, TimeElapsedColumn

from feature_assets.backfill.stage_error import StageError


@dataclass
class Stage:
    """A running stage; call ``step`` as parts of it are done."""

    _progress: Progress
    _task: TaskID

    def expect(self, parts: int) -> None:
        """Say how many parts the stage has."""
        self._progress.update(self._task, total=parts)

    def step(self, what: str, parts: int = 1) -> None:
        """Count parts as done and show what they were."""
        self._progress.update(self._task, advance=parts, detail=what)


@dataclass
class Stages:
    """The stages of one backfill, or of the demo, and the seconds each took."""

    console: Console
    seconds: dict[str, float] = field(default_factory=dict[str, float])

    @contextmanager
    def stage(self, name: str, title: str) -> Iterator[Stage]:
        """Show a progress bar while the stage runs and keep its time under ``name``.

        Raises:
            StageError: it failed.
        """
        columns = (
            SpinnerColumn(),
            TextColumn("{task.description:<34}"),
            BarColumn(24),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
        )
        start = time.perf_counter()
        bars = Progress(
            *columns,
            TextColumn("{task.fields[detail]}"),
            console=self.console,
            transient=True,
            disable=not self.console.is_terminal,
        )
        try:
            with bars as progress:
                yield Stage(progress, progress.add_task(title, total=None, detail=""))
        except Exception as error:
            raise StageError(title) from error
        self.seconds[name] = round(time.perf_counter() - start, 1)
        self.console.print(f"  [green]done[/green] {title:<34} {self.seconds[name]:>6.1f} s")
