"""Names on the command line, and what they stand for."""

from __future__ import annotations

from dataclasses import dataclass

from feature_assets.project import Declarations
from feature_store import Feature, FeatureService, FeatureView
from feature_store.catalog.names import picked, unknown
from feature_store.errors import InputError
from feature_store.model.request_features import ComputedFeature


@dataclass(frozen=True)
class FeatureOfView:
    """A feature and the view it belongs to."""

    view: FeatureView
    feature: Feature

    @property
    def name(self) -> str:
        """``view.feature``."""
        return f"{self.view.name}.{self.feature.name}"


Named = FeatureView | FeatureOfView | FeatureService


def find(declarations: Declarations, name: str) -> Named:
    """Return the view, feature or service of a name.

    Names can be shortened: ``household_spend``, ``household_spend/v1`` and ``retail/household_spend/v1`` are a view
    (the newest version if none is given), with ``.spend_7d`` a feature of it, ``churn`` and ``churn/v1`` a service.

    Raises:
        InputError: nothing is called so; says what was probably meant.
    """
    return picked(_by_name(declarations), name, _features_called(declarations))


def find_service(declarations: Declarations, name: str) -> FeatureService:
    """Return the service of a name; see ``find``."""
    services = {known: found for known, found in _by_name(declarations).items() if isinstance(found, FeatureService)}
    if name not in services:
        raise unknown("service", name, services)
    return services[name]


def find_request_feature(declarations: Declarations, name: str) -> tuple[FeatureService, ComputedFeature] | None:
    """Return the request feature that ``service.feature`` or ``service/vN.feature`` names; None: it names none."""
    owner, _, wanted = name.rpartition(".")
    service = _by_name(declarations).get(owner)
    if not isinstance(service, FeatureService):
        return None
    computed = (each for each in service.outputs if isinstance(each, ComputedFeature))
    return next(((service, each) for each in computed if each.name == wanted), None)


def find_view(declarations: Declarations, name: str) -> FeatureView:
    """Return the view of a name; see ``find``."""
    found = find(declarations, name)
    if not isinstance(found, FeatureView):
        raise InputError(f"{name} is not a view: `features list --kind view` lists them")
    return found


def find_servable(declarations: Declarations, name: str) -> FeatureService | FeatureView:
    """Return the service or view of a name; see ``find``."""
    found = find(declarations, name)
    if isinstance(found, FeatureOfView):
        raise InputError(f"{name} is a single feature: get its view, {found.view.name}, or a service")
    return found


def _features_called(declarations: Declarations) -> dict[str, list[str]]:
    """Return ``view.feature`` names by the feature's own name."""
    found: dict[str, list[str]] = {}
    for view in declarations.views.values():
        for feature in view:
            found.setdefault(feature.name, []).append(FeatureOfView(view, feature).name)
    return found


def _by_name(declarations: Declarations) -> dict[str, Named]:
    names: dict[str, Named] = {}
    # Newer versions come later, and take over the short names.
    for view in sorted(declarations.views.values(), key=lambda view: view.version):
        for known in (view.name, f"{view.name}/v{view.version}", view.full_name):
            names[known] = view
            for feature in view:
                names[f"{known}.{feature.name}"] = FeatureOfView(view, feature)
    for service in sorted(declarations.services.values(), key=lambda service: service.version):
        names[service.name] = names[service.full_name] = service
    return names
