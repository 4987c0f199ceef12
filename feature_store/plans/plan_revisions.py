"""The folder of service plans: immutable revisions, and a pointer to the current one that is replaced at once.

``revisions/12/churn.v1.json``  a plan file of revision 12; one that did not change is a hard link to the former one
``current.json``                names the current revision; a lower one never replaces a higher
``branches/late-6/``            such a folder of a branch, which servers of production never look into

A folder of plan files alone, without a pointer, is read as it is.
"""

from __future__ import annotations

import fcntl
import json
import os
import shutil
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from feature_store.checks.files import file_errors
from feature_store.plans.service_plan import PlanError, ServicePlan, read_plan

POINTER: Final = "current.json"

_KEPT: Final = 10
"""How many revisions stay: a reader that has just seen the pointer still reads what it led to."""


@dataclass(frozen=True)
class CurrentPlans:
    """Where the plan files lie that are current.

    Attributes:
        folder: of the plan files.
        revision: its number; None: nothing was published, and the files lie in the folder itself.
    """

    folder: Path
    revision: int | None


def branch_plans(folder: Path, branch: str) -> Path:
    """Return where the plans of a branch lie; of no branch (an empty name) the folder itself."""
    return folder / "branches" / branch if branch else folder


def current_plans(folder: Path) -> CurrentPlans:
    """Return where the current plan files lie.

    Raises:
        PlanError: the pointer is damaged.
        StorageError: it cannot be read.
    """
    try:
        with file_errors(folder / POINTER, "it cannot be read"):
            content = (folder / POINTER).read_bytes()
        record: Any = json.loads(content)
        revision = record["revision"]
        if type(revision) is not int or revision < 0:
            raise TypeError(f"revision {revision!r}")
    except FileNotFoundError:
        return CurrentPlans(folder, None)
    except (ValueError, LookupError, TypeError) as error:
        raise PlanError(f"{folder / POINTER} is damaged ({error}): run `features plans sync`") from error
    return CurrentPlans(_folder_of(folder, revision), revision)


def read_plans(folder: Path) -> dict[str, ServicePlan]:
    """Return every current plan of a folder by full name (``name/vN``).

    Raises:
        PlanError: a file holds none, or the pointer is damaged.
        StorageError: they cannot be read.
    """
    plans = map(read_plan, plan_files(current_plans(folder).folder))
    return {plan.full_name: plan for plan in plans}


def plan_files(folder: Path) -> list[Path]:
    """Return the plan files of a folder, sorted; none if it is not there.

    Raises:
        StorageError: it may not be looked at, for which ``Path.glob`` would give none.
    """
    try:
        with file_errors(folder, "its plans cannot be listed"):
            return sorted(path for path in folder.iterdir() if path.suffix == ".json" and path.name != POINTER)
    except FileNotFoundError:
        return []


def publish_plans(folder: Path, revision: int, texts: Mapping[str, str]) -> CurrentPlans:
    """Make plan files the current ones, unless those of a higher revision are; return what is current then.

    A crash at any point leaves the former revision current, whole.

    Args:
        folder: where plans lie.
        revision: number of the catalog's revision that they follow from.
        texts: content by file name.

    Raises:
        StorageError: they cannot be written.
    """
    with file_errors(folder, "plans cannot be written there"):
        folder.mkdir(parents=True, exist_ok=True)
        return _publish(folder, revision, texts)


def _publish(folder: Path, revision: int, texts: Mapping[str, str]) -> CurrentPlans:
    with _locked(folder):
        former = _former(folder)
        if former.revision is not None and former.revision > revision:
            return former
        target = _folder_of(folder, revision)
        if not target.exists():
            _write(former.folder, target, texts)
        else:
            _mend(target, texts)
        _replace(folder / POINTER, json.dumps({"revision": revision}))
        _forget(folder, revision)
    return CurrentPlans(target, revision)


def _former(folder: Path) -> CurrentPlans:
    try:
        return current_plans(folder)
    except PlanError:  # it is replaced by a good one
        return CurrentPlans(folder, None)


def _folder_of(folder: Path, revision: int) -> Path:
    return folder / "revisions" / str(revision)


def _write(former: Path, target: Path, texts: Mapping[str, str]) -> None:
    partial = target.with_name(f".{target.name}.partial")
    shutil.rmtree(partial, ignore_errors=True)  # of an apply that was killed
    partial.mkdir(parents=True)
    for name, text in texts.items():
        unchanged = former / name
        if unchanged.is_file() and unchanged.read_bytes() == text.encode():
            os.link(unchanged, partial / name)
        else:
            (partial / name).write_text(text)
    partial.rename(target)


def _mend(target: Path, texts: Mapping[str, str]) -> None:
    """Replace what was damaged, and remove what strayed into it."""
    for path in target.iterdir():
        if path.name not in texts:
            path.unlink()
    for name, text in texts.items():
        path = target / name
        if not path.is_file() or path.read_bytes() != text.encode():
            _replace(path, text)


def _replace(path: Path, text: str) -> None:
    partial = path.with_suffix(".partial")
    partial.write_text(text)
    partial.replace(path)


def _forget(folder: Path, current: int) -> None:
    numbers = sorted(int(path.name) for path in (folder / "revisions").iterdir() if path.name.isdigit())
    for number in [number for number in numbers if number <= current][:-_KEPT]:
        shutil.rmtree(_folder_of(folder, number))


@contextmanager
def _locked(folder: Path) -> Generator[None]:
    """Hold the one lock for publishing; the system lets go of it when a process dies."""
    with (folder / ".lock").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield
