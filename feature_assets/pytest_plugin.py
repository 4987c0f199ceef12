"""The pytest plug-in: ``pytest --feature-parity my_package.features`` adds one test per feature view.

Each test computes the view's features from made-up rows of its source, and compares them with the specification. They
are tests of the module's file, which pytest selects as it does others: all, by name, or by id. They run alone unless
paths are given: ``pytest --feature-parity my_package.features tests`` runs those of the folder too.
"""

from __future__ import annotations

import importlib
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import pytest

if TYPE_CHECKING:
    from feature_store import FeatureView

_OPTION: Final = "--feature-parity"

_MODULES: Final = pytest.StashKey[dict[Path, Any]]()
"""The modules that were named, by their files."""

_ALONE: Final = pytest.StashKey[bool]()
"""Whether the views of these modules are all that is tested."""

# This module is loaded into every pytest session of an environment: everything else is imported when it is used.


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the option."""
    parser.getgroup("feature store").addoption(
        _OPTION,
        action="append",
        default=[],
        metavar="MODULE",
        help="test the feature views of this module against the specification: those in its `views`, or all that it "
        "defines; can be repeated",
    )


def pytest_configure(config: pytest.Config) -> None:
    """Import the modules, and have their files looked at, unless single tests were asked for."""
    folder = config.invocation_params.dir
    named = {name: _import(name, folder) for name in config.option.feature_parity}
    modules = {_path(name, module): module for name, module in named.items()}
    config.stash[_MODULES] = modules
    # In the settings of a repository the option adds to every run; typed, it says what to run.
    is_typed = any(str(argument).startswith(_OPTION) for argument in config.invocation_params.args)
    config.stash[_ALONE] = is_typed and config.args_source is not pytest.Config.ArgsSource.ARGS
    if config.stash[_ALONE]:
        config.args = [str(path) for path in modules]
    elif not any("::" in argument for argument in config.args):
        config.args += [str(path) for path in modules if str(path) not in config.args]


def pytest_report_header(config: pytest.Config) -> str | None:
    """Say that nothing else runs, where no path asked for it."""
    if not config.stash[_ALONE]:
        return None
    modules = ", ".join(config.option.feature_parity)
    return f"feature parity: the views of {modules} alone; give paths to run other tests too"


def pytest_collect_file(file_path: Path, parent: pytest.Collector) -> pytest.Collector | None:
    """Collect the views of a module that was named."""
    if file_path not in parent.config.stash[_MODULES]:
        return None
    return FeatureParityFile.from_parent(parent, path=file_path)


class FeatureParityFile(pytest.File):
    """The file of a module with views."""

    def collect(self) -> Iterator[pytest.Item]:
        """Yield a test per view; their names have no brackets, in which pytest would look for parameters."""
        for view in _views(self.config.stash[_MODULES][self.path]):
            yield FeatureParity.from_parent(self, name=f"feature-parity:{view.full_name}", view=view)


class FeatureParity(pytest.Item):
    """The test of one view."""

    def __init__(self, *, view: FeatureView, **options: Any) -> None:
        super().__init__(**options)
        self._view = view

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
        return self.path, None, self.name


def _import(name: str, folder: Path) -> Any:
    """Import a module, of the folder where pytest was started, too, as ``python -m pytest`` does."""
    if str(folder) not in sys.path:
        sys.path.insert(0, str(folder))
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as error:
        raise pytest.UsageError(
            f"--feature-parity {name}: {error}. Give a module that can be imported from {folder}, or name its folder "
            "in `pythonpath` in the settings of pytest"
        ) from error


def _path(name: str, module: Any) -> Path:
    if not getattr(module, "__file__", None) or not _views(module):
        raise pytest.UsageError(f"--feature-parity {name}: no feature view is defined there, nor listed in `views`")
    return Path(module.__file__)


def _views(module: Any) -> list[FeatureView]:
    from feature_store import FeatureView  # noqa: PLC0415

    listed = getattr(module, "views", None)
    candidates: Iterable[Any] = vars(module).values() if listed is None else listed
    return list({v.full_name: v for v in candidates if isinstance(v, FeatureView)}.values())
