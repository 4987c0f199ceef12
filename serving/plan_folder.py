"""The service plans in a folder, read again when they change."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from feature_store.plans import ServicePlan, read_plans
from serving.assembly import Assembly
from serving.requests import UnknownServiceError, select_features

_MOST_SELECTIONS: Final = 1024
_NO_PLANS: Final = "there are none yet: run `features apply`"

_Signature = tuple[tuple[str, int, int, int], ...]


@dataclass(frozen=True)
class _Read:
    """What was read at one time; replaced whole, so that a reader on another thread never sees half a change."""

    signature: _Signature | None = None
    assemblies: dict[str, Assembly] = field(default_factory=dict[str, Assembly])
    newest: dict[str, Assembly] = field(default_factory=dict[str, Assembly])
    selections: dict[tuple[str, tuple[str, ...]], Assembly] = field(
        default_factory=dict[tuple[str, tuple[str, ...]], Assembly]
    )


class PlanFolder:
    """Plans by name, ready to answer. What was read stays in use until ``refresh`` has read all of a changed folder.

    Args:
        folder: where ``features apply`` writes the plans.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._read = _Read()

    @property
    def plans(self) -> list[ServicePlan]:
        """Every plan, by name and version."""
        plans = (assembly.plan for assembly in self._read.assemblies.values())
        return sorted(plans, key=lambda plan: (plan.service, plan.version))

    def refresh(self) -> bool:
        """Read the folder again if a file in it changed; return whether one did.

        Raises:
            FeatureStoreError, ValueError, KeyError, TypeError: a file is not a plan; the plans read before stay.
            OSError: a file went away meanwhile.
        """
        files = ((path.name, path.stat()) for path in sorted(self._folder.glob("*.json")))
        signature = tuple((name, stat.st_mtime_ns, stat.st_size, stat.st_ino) for name, stat in files)
        if signature == self._read.signature:
            return False
        assemblies = {name: Assembly(plan) for name, plan in read_plans(self._folder).items()}
        by_version = sorted(assemblies.values(), key=lambda assembly: assembly.plan.version)
        self._read = _Read(signature, assemblies, {assembly.plan.service: assembly for assembly in by_version})
        return True

    def find(self, service: str, features: tuple[str, ...] | None = None) -> Assembly:
        """Return what answers for ``name/vN``, or for the newest version of ``name``; one object until a refresh.

        Args:
            service: name, with or without version.
            features: those wanted, in order; None: all.

        Raises:
            UnknownServiceError: there is no such plan.
            RequestError: the service has no such feature.
        """
        read = self._read
        assembly = read.assemblies.get(service) or read.newest.get(service)
        if assembly is None:
            known = f"there are {', '.join(read.assemblies)}" if read.assemblies else _NO_PLANS
            raise UnknownServiceError("service", f"no feature service {service!r}; {known}")
        if features is None:
            return assembly
        wanted = (assembly.plan.full_name, features)
        if wanted not in read.selections:
            if len(read.selections) >= _MOST_SELECTIONS:
                read.selections.clear()
            read.selections[wanted] = Assembly(select_features(assembly.plan, features))
        return read.selections[wanted]
