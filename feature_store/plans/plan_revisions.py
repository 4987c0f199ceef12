"""The folder of service plans: immutable revisions, and a pointer to the current one that is replaced at once.

``revisions/12/churn.v1.json``  a plan file of revision 12; one that did not change is a hard link to the former one
``current.json``                names the current revision; a lower one never replaces a higher
``branches/late-6/``            such a folder of a branch, which servers of production never look into

A folder of plan files alone, without a pointer, is read as it is. On S3 all lies alike; there
nothing is linked, and the pointer is replaced by a conditional put.
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
from feature_store.errors import StorageError
from feature_store.plans.service_plan import PlanError, ServicePlan, read_plan
from feature_store.s3.paths import Place, S3Path

POINTER: Final = "current.json"

_ATTEMPTS: Final = 20
"""The times that the pointer of a folder on S3 is read again since somebody else replaced it."""

_KEPT: Final = 10
"""How many revisions stay: a reader that has just seen the pointer still reads what it led to."""


@dataclass(frozen=True)
class CurrentPlans:
    """Where the plan files lie that are current.

    Attributes:
        folder: of the plan files.
        revision: its number; None: nothing was published, and the files lie in the folder itself.
    """

    folder: Place
    revision: int | None


def branch_plans(folder: Place, branch: str) -> Place:
    """Return where the plans of a branch lie; of no branch (an empty name) the folder itself."""
    return folder / "branches" / branch if branch else folder


def current_plans(folder: Place) -> CurrentPlans:
    """Return where the current plan files lie.

    Raises:
        PlanError: the pointer is damaged.
        StorageError: it cannot be read.
    """
    try:
        with file_errors(folder / POINTER, "it cannot be read"):
            content = (folder / POINTER).read_bytes()
    except FileNotFoundError:
        return CurrentPlans(folder, None)
    return _current_of(folder, content)


def _current_of(folder: Place, pointer: bytes) -> CurrentPlans:
    """Return where the plan files lie that the content of a pointer leads to.

    Raises:
        PlanError: it is damaged.
    """
    try:
        record: Any = json.loads(pointer)
        revision = record["revision"]
        if type(revision) is not int or revision < 0:
            raise TypeError(f"revision {revision!r}")
    except (ValueError, LookupError, TypeError) as error:
        raise PlanError(f"{folder / POINTER} is damaged ({error}): run `features plans sync`") from error
    return CurrentPlans(_folder_of(folder, revision), revision)


def read_plans(folder: Place) -> dict[str, ServicePlan]:
    """Return every current plan of a folder by full name (``name/vN``).

    Raises:
        PlanError: a file holds none, or the pointer is damaged.
        StorageError: they cannot be read.
    """
    plans = map(read_plan, plan_files(current_plans(folder).folder))
    return {plan.full_name: plan for plan in plans}


def plan_files(folder: Place) -> list[Path] | list[S3Path]:
    """Return the plan files of a folder, sorted; none if it is not there.

    Raises:
        StorageError: it may not be looked at, for which ``Path.glob`` would give none.
    """
    try:
        with file_errors(folder, "its plans cannot be listed"):
            if isinstance(folder, S3Path):
                return sorted(path for path in folder.iterdir() if is_plan_file(path))
            return sorted(path for path in folder.iterdir() if is_plan_file(path))
    except FileNotFoundError:
        return []


def is_plan_file(path: Place) -> bool:
    """Return whether a file of a folder of plans should hold one."""
    return path.suffix == ".json" and path.name != POINTER


def publish_plans(folder: Place, revision: int, texts: Mapping[str, str]) -> CurrentPlans:
    """Make plan files the current ones, unless those of a higher revision are; return what is current then.

    A crash at any point leaves the former revision current, whole.

    Args:
        folder: where plans lie.
        revision: number of the catalog's revision that they follow from.
        texts: content by file name.

    Raises:
        StorageError: they cannot be written.
    """
    if isinstance(folder, S3Path):
        return _publish_on_s3(folder, revision, texts)
    with file_errors(folder, "plans cannot be written there"):
        folder.mkdir(parents=True, exist_ok=True)
        return _publish(folder, revision, texts)


def _publish(folder: Path, revision: int, texts: Mapping[str, str]) -> CurrentPlans:
    with _locked(folder):
        former = _former(folder)
        if former.revision is not None and former.revision > revision:
            return former
        target = folder / "revisions" / str(revision)
        if not target.exists():
            _write(Path(str(former.folder)), target, texts)
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


def _folder_of(folder: Place, revision: int) -> Place:
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
        shutil.rmtree(folder / "revisions" / str(number))


def _publish_on_s3(folder: S3Path, revision: int, texts: Mapping[str, str]) -> CurrentPlans:
    """Publish; of two at once the lower looks again, and finds the higher one."""
    text = json.dumps({"revision": revision}).encode()
    for _ in range(_ATTEMPTS):
        pointer, tag = _read_pointer(folder)
        former = _former_of(folder, pointer)
        if former.revision is not None and former.revision > revision:
            return former
        target = folder / "revisions" / str(revision)
        _put(target, texts)
        try:
            if pointer != text:
                (folder / POINTER).replace_bytes(text, tag)
        except FileExistsError:
            continue  # another one came first; or ours came through, and its answer did not
        _forget_on_s3(folder, revision)
        return CurrentPlans(target, revision)
    raise StorageError(f"{folder / POINTER}: others replaced it {_ATTEMPTS} times meanwhile. Instead: run again.")


def _former_of(folder: S3Path, pointer: bytes) -> CurrentPlans:
    try:
        return _current_of(folder, pointer)
    except PlanError:  # there is none, or it is replaced by a good one
        return CurrentPlans(folder, None)


def _read_pointer(folder: S3Path) -> tuple[bytes, str | None]:
    try:
        return (folder / POINTER).read_tagged()
    except FileNotFoundError:
        return b"", None


def _put(target: S3Path, texts: Mapping[str, str]) -> None:
    """Write plan files; those that are there and right stay, and what strayed there goes."""
    there = {path.name: path for path in target.iterdir()}
    for name in there.keys() - texts:
        there[name].unlink()
    for name, text in texts.items():
        if name not in there or there[name].read_bytes() != text.encode():
            (target / name).write_bytes(text.encode())


def _forget_on_s3(folder: S3Path, current: int) -> None:
    numbers = sorted(int(path.name) for path in (folder / "revisions").iterdir() if path.name.isdigit())
    for number in [number for number in numbers if number <= current][:-_KEPT]:
        (folder / "revisions" / str(number)).delete_all()


@contextmanager
def _locked(folder: Path) -> Generator[None]:
    """Hold the one lock for publishing; the system lets go of it when a process dies."""
    with (folder / ".lock").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield
