"""The pytest plug-in: ``pytest --feature-parity my_package.features`` adds one test per feature view.

Each test computes the view's features from made-up rows of its source, and compares them with the specification.
"""

from __future__ import annotations

import importlib
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from feature_store import FeatureView

# This module is loaded into every pytest session of an environment: everything else is imported when it is used.


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the option."""
    parser.getgroup("feature store").addoption(
        "--feature-parity",
        action="append",
        default=[],
        metavar="MODULE",
        help="test the feature views of this module against the specification: those in its `views`, or all that it "
        "defines; can be repeated",
    )


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(session: pytest.Session, config: pytest.Config, items: list[pytest.Item]) -> None:
    """Add a test per view, before tests are selected by name or mark."""
    modules: list[str] = config.option.feature_parity
    for name in modules:
        module = _import(name)
        path = Path(module.__file__) if getattr(module, "__file__", None) else config.rootpath
        items.extend(
            FeatureParity.from_parent(session, name=f"feature-parity[{view.full_name}]", view=view, declared_in=path)
            for view in _views(name, module)
        )


class FeatureParity(pytest.Item):
    """The test of one view."""

    def __init__(self, *, view: FeatureView, declared_in: Path, **options: Any) -> None:
        super().__init__(**options)
        self._view = view
        self._declared_in = declared_in

    def runtest(self) -> None:
        """Compare the view with the specification on made-up rows."""
        from feature_assets.parity.engine import assert_sample_parity  # noqa: PLC0415

        assert_sample_parity(self._view)

    def repr_failure(self, excinfo: pytest.ExceptionInfo[BaseException], style: Any = None) -> Any:
        """Show the offending rows alone; of other errors everything."""
        if isinstance(excinfo.value, AssertionError):
            return str(excinfo.value)
        return super().repr_failure(excinfo, style)

    def reportinfo(self) -> tuple[Path, int | None, str]:
        """Return where the view is declared, and what the test is called."""
        return self._declared_in, None, self.name


def _import(name: str) -> Any:
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as error:
        raise pytest.UsageError(
            f"--feature-parity {name}: {error}. Give an importable module; `pythonpath = ['.']` in the settings of "
            "pytest makes those of your repository so"
        ) from error


def _views(name: str, module: Any) -> list[FeatureView]:
    from feature_store import FeatureView  # noqa: PLC0415

    listed = getattr(module, "views", None)
    candidates: Iterable[Any] = vars(module).values() if listed is None else listed
    views = list({v.full_name: v for v in candidates if isinstance(v, FeatureView)}.values())
    if not views:
        raise pytest.UsageError(f"--feature-parity {name}: no feature view is defined there, nor listed in `views`")
    return views
