"""The code locations of the project, as its ``workspace.yaml`` lists them, and which of them makes an asset."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import dagster as dg
import yaml

from feature_assets.project.broken import describe
from feature_assets.project.teams import import_of_project
from feature_store.errors import InputError
from resources.project_file import project_file

FILE: Final = "workspace.yaml"

_FAILURES: Final = (Exception, SystemExit)


@dataclass(frozen=True)
class CodeLocation:
    """A code location that is a module of Python.

    Attributes:
        name: as Dagster shows it.
        module: what is imported.
        attribute: its ``Definitions`` there.
    """

    name: str
    module: str
    attribute: str = "defs"

    def load(self) -> dg.Definitions:
        """Import its definitions."""
        return getattr(import_of_project(self.module), self.attribute)


@dataclass(frozen=True)
class Makers:
    """Who makes which asset.

    Attributes:
        locations: by asset key, ``/``-separated: the code location.
        partitions: by asset key, of those that are partitioned by time.
        broken: what keeps a code location from being imported, by its name; its assets are not listed.
    """

    locations: Mapping[str, CodeLocation]
    partitions: Mapping[str, dg.TimeWindowPartitionsDefinition]
    broken: Mapping[str, str]

    def of(self, asset: str) -> CodeLocation:
        """Return the code location that makes an asset.

        Raises:
            InputError: none does.
        """
        if asset in self.locations:
            return self.locations[asset]
        reasons = "".join(f" The code location {name} is broken: {why}" for name, why in self.broken.items())
        where = project_file().root / FILE
        raise InputError(f"no code location of {where} makes {asset}: list there the module that defines it.{reasons}")


def find_makers() -> Makers:
    """Import every code location of the project; one that is broken is left out and named.

    Raises:
        InputError: there is no ``workspace.yaml``, or it is not one.
    """
    locations: dict[str, CodeLocation] = {}
    partitions: dict[str, dg.TimeWindowPartitionsDefinition] = {}
    broken: dict[str, str] = {}
    for location in code_locations():
        try:
            graph = location.load().resolve_asset_graph()
        except _FAILURES as error:
            broken[location.name] = describe(error, location.module, project_file().root)
            continue
        for key in graph.materializable_asset_keys:
            locations[key.to_user_string()] = location
            definition = graph.get(key).partitions_def
            if isinstance(definition, dg.TimeWindowPartitionsDefinition):
                partitions[key.to_user_string()] = definition
    return Makers(locations, partitions, broken)


def code_locations() -> list[CodeLocation]:
    """Return the modules that ``workspace.yaml`` lists, in its order.

    Raises:
        InputError: there is no such file, or it lists no modules.
    """
    file = project_file().root / FILE
    example = "load_from: [{python_module: {module_name: my_package.teams.growth.definitions, location_name: growth}}]"
    if not file.is_file():
        raise InputError(f"the project has no code location: write {file}, for instance {example}")
    try:
        read = yaml.safe_load(file.read_text())
        return [_location(entry["python_module"]) for entry in read["load_from"] if "python_module" in entry]
    except (yaml.YAMLError, KeyError, TypeError) as error:
        raise InputError(f"{file} lists no code locations: write {example}") from error


def _location(entry: str | Mapping[str, Any]) -> CodeLocation:
    if isinstance(entry, str):
        return CodeLocation(entry, entry)
    module = entry["module_name"]
    return CodeLocation(entry.get("location_name", module), module, entry.get("attribute", "defs"))
