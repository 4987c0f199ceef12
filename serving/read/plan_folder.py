"""The service plans in a folder, the current revision's, read again when they change, file by file."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final

from feature_store.errors import FeatureStoreError, StorageError
from feature_store.plans.plan_revisions import POINTER, CurrentPlans, current_plans, plan_files
from feature_store.plans.service_plan import PlanError, ServicePlan, read_plan
from feature_store.s3.paths import Place, S3Path
from serving.read.assembly import Assembly
from serving.read.requests import RequestError, UnknownServiceError

PLAN_SECONDS: Final = 1.0
"""The time that plans are used before the folder is looked at again."""

_NO_PLANS: Final = "there are none yet: run `features apply`"

_Signature = tuple[int, int, int] | str


@dataclass(frozen=True)
class _File:
    """A plan file.

    Attributes:
        signature: tells one state of the file from another.
        assembly: of the last good state; None: there was none.
        problem: why its present state cannot be used; None: it can.
    """

    signature: _Signature
    assembly: Assembly | None
    problem: str | None


class _Catalog:
    """The content of some files; replaced whole, so that a reader on another thread never sees half a change."""

    def __init__(self, files: Mapping[str, _File], pointer: str | None = None) -> None:
        good = [file.assembly for file in files.values() if file.assembly is not None]
        self.files = files
        self.assemblies = {assembly.plan.full_name: assembly for assembly in good}
        self.newest = {each.plan.service: each for each in sorted(good, key=lambda assembly: assembly.plan.version)}
        self.pointer = pointer
        problems = {POINTER: pointer, **{name: file.problem for name, file in files.items()}}
        self.problems = {name: problem for name, problem in problems.items() if problem is not None}


class PlanFolder:
    """Plans by name, ready to answer. A file that cannot be used concerns its own service alone, as does a change.

    The revision never goes back: while the pointer is away, damaged, or names a lower one, the plans stay as they are.
    On S3 the files of a revision are listed when the pointer moved, or one of them cannot be used; else a look is one
    request.

    Args:
        folder: where ``features apply`` writes the plans.
    """

    def __init__(self, folder: Place) -> None:
        self._folder = folder
        self._current = CurrentPlans(folder, None)
        self._catalog = _Catalog({})

    @property
    def plans(self) -> list[ServicePlan]:
        """Every plan, by name and version."""
        plans = (assembly.plan for assembly in self._catalog.assemblies.values())
        return sorted(plans, key=lambda plan: (plan.service, plan.version))

    @property
    def problems(self) -> dict[str, str]:
        """The reason why a file cannot be used, by name; the last good state of each stays in use."""
        return self._catalog.problems

    def refresh(self) -> bool:
        """Read the files that changed; return whether any did. While the folder is away, or closed, nothing changes."""
        former, known = self._current, self._catalog.files
        problem, files = self._follow(), known
        try:
            if self._current is not former or not self._is_settled():
                if not self._current.folder.is_dir():
                    return False
                files = {
                    path.name: _look(path, signature, known.get(path.name))
                    for path, signature in _signatures(self._current.folder)
                }
        except (StorageError, OSError) as error:
            files, problem = known, str(error)
        if files == known and problem == self._catalog.pointer:
            return False
        self._catalog = _Catalog(files, problem)
        return True

    def _is_settled(self) -> bool:
        """Whether the files that were read are all that can be had of the revision: on S3 a look costs requests."""
        on_s3 = isinstance(self._folder, S3Path) and self._current.revision is not None
        files = self._catalog.files.values()
        return on_s3 and bool(files) and all(file.problem is None for file in files)

    def _follow(self) -> str | None:
        """Go where the pointer leads, unless that is back; return what is wrong with it."""
        try:
            current = current_plans(self._folder)
            is_new = current != self._current
            if is_new and current.folder.is_dir() and (current.revision or 0) >= (self._current.revision or 0):
                self._current = current
        except (PlanError, StorageError, OSError) as error:
            return str(error)
        return None

    def find(self, service: str, features: tuple[str, ...] | None = None) -> Assembly:
        """Return what answers for ``name/vN``, or for the newest version of ``name``; one object while its plan stays.

        Args:
            service: name, with or without version.
            features: those wanted, in order; None: all.

        Raises:
            UnknownServiceError: there is no such plan.
            RequestError: the service has no such feature.
        """
        if not isinstance(service, str):  # pyright: ignore[reportUnnecessaryIsInstance] - callers may not check types
            raise RequestError("service", f"{service!r} is not the name of a service: write e.g. 'churn'")
        catalog = self._catalog
        assembly = catalog.assemblies.get(service) or catalog.newest.get(service)
        if assembly is None:
            none = () if catalog.problems else (_NO_PLANS,)
            known = (f"there are {', '.join(catalog.assemblies)}",) if catalog.assemblies else none
            raise UnknownServiceError(
                "service", "; ".join([f"no feature service {service!r}", *known, *catalog.problems.values()])
            )
        return assembly if features is None else assembly.only(features)


def _signatures(folder: Place) -> Iterable[tuple[Place, _Signature]]:
    for path in plan_files(folder):
        if isinstance(path, S3Path):
            yield path, path.tag
            continue
        try:
            stat = path.stat()
        except FileNotFoundError:
            continue  # it went away meanwhile
        yield path, (stat.st_mtime_ns, stat.st_size, stat.st_ino)


def _look(path: Place, signature: _Signature, known: _File | None) -> _File:
    if known is not None and known.signature == signature:
        return known
    try:
        return _File(signature, Assembly(read_plan(path)), None)
    except (FeatureStoreError, ValueError) as error:
        problem = str(error) if isinstance(error, PlanError) else f"plan file {path.name} cannot be used: {error}"
        return _File(signature, None if known is None else known.assembly, problem)
