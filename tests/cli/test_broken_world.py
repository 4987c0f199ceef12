"""D5 at the command line: whatever is broken around it, a command says so in a line, and shows no stack of calls."""

import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import Any, Final

import pytest

from feature_store.offline.delta import stored_files
from tests.cli.conftest import Features
from tests.fixtures.small_store import SmallStore
from tests.fixtures.valkey import free_port
from tests.offline.breakages import DAMAGES, as_somebody_else, little_room

VIEW = "retail/household_campaign/v1"
COMMANDS = [
    ["list"],
    ["search", "coupon"],
    ["show", "household_campaign"],
    ["get", "churn", "--key", "household_id=900"],
    ["get", "household_campaign", "--key", "household_id=900"],
    ["restore", "household_campaign"],
    ["training-set", "churn", "--spine", "{spine}", "--out", "{out}", "--allow-missing"],
    ["explain", "household_campaign.{feature}", "--key", "household_id=900", "--at", "2018-01-02T06:00:00Z"],
    ["parity", "household_campaign", "--entities", "1", "--instants", "1"],
    ["verify", "household_campaign"],
    ["verify", "household_campaign", "--online"],
    ["verify", "household_campaign", "--repair"],
    ["plan"],
    ["history", "household_campaign"],
    ["lineage", "churn"],
    ["impact", "household_campaign"],
    ["similar", "household_campaign.{feature}"],
    ["apply"],
    ["plans", "sync"],
]


def values_of(state: Path) -> Path:
    return state / "offline" / "views" / VIEW / "values"


def write_over(*names: str) -> Callable[[Path], None]:
    """Put garbage in the place of each file that a pattern finds."""

    def damage(state: Path) -> None:
        found = [file for name in names for file in state.glob(name) if file.is_file()]
        assert found
        for file in found:
            file.write_bytes(b"\x00garbage\n")

    return damage


def by_file(name: str) -> Callable[[Path], None]:
    """Put a file in the place of a folder."""

    def damage(state: Path) -> None:
        shutil.rmtree(state / name)
        (state / name).write_text("a file")

    return damage


def by_folder(name: str) -> Callable[[Path], None]:
    """Put a folder in the place of a file."""

    def damage(state: Path) -> None:
        (state / name).unlink()
        (state / name).mkdir()

    return damage


DAMAGED: dict[str, Callable[[Path], object]] = {
    "plans are garbage": write_over("plans/**/*.json"),
    "plans is a file": by_file("plans"),
    "the catalog is garbage": write_over("catalog.db"),
    "the catalog is a folder": by_folder("catalog.db"),
    "the store is a file": by_file("offline"),
    "a log is garbage": lambda state: DAMAGES["the newest commit is garbage"](values_of(state)),
    "files are missing": lambda state: DAMAGES["files are missing"](values_of(state)),
    "a ledger is garbage": lambda state: DAMAGES["files are garbage"](Path(f"{values_of(state)}.ledger")),
}
TROUBLED: dict[str, Callable[[Path], AbstractContextManager[None]]] = {
    "nothing may be entered": lambda state: as_somebody_else(state, 0o600),
    "nothing may be written": lambda state: as_somebody_else(state, 0o555),
    "the disk is full": little_room,
}
ONLINE: dict[str, str] = {
    "nobody listens": f"redis://127.0.0.1:{free_port()}/0",
    "there is no socket": "unix:///no/such/socket",
    "the host has no address": "redis://no-such-host.invalid:6379/0",
}
KINDS = [*DAMAGED, *TROUBLED, *ONLINE]


_WARM: Final[set[tuple[str, ...]]] = set()


_VIEWS: Final = frozenset({"household_campaign", "household_spend"})
"""Of all that are stored, those that are copied."""


def _unused(folder: str, names: list[str]) -> set[str]:
    return set(names) - _VIEWS if Path(folder).parent.name == "views" else set()


def cases() -> Iterator[Any]:
    """Every command in every broken world; outside of ``full`` each with one or two of the others."""
    for number, kind in enumerate(KINDS):
        for other, command in enumerate(COMMANDS):
            marks = () if (number - other) % len(KINDS) == 0 else (pytest.mark.full,)
            yield pytest.param(kind, command, id=f"{' '.join(command[:2])}: {kind}", marks=marks)


@pytest.fixture(scope="module")
def project(small_store: SmallStore) -> Iterator[Path]:
    """A copy of the small store's state in a folder that everybody may enter."""
    folder = Path(tempfile.mkdtemp(prefix="broken-world-"))
    folder.chmod(0o755)
    shutil.copytree(small_store.environment["FEATURES_STATE"], folder / "state", ignore=_unused)
    yield folder
    shutil.rmtree(folder)


@pytest.fixture
def world(
    project: Path, small_store: SmallStore, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Iterator[tuple[Features, Path]]:
    for name, value in small_store.environment.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(stored_files, "_checked", set())
    monkeypatch.setenv("COLUMNS", "200")
    state = Path(shutil.copytree(project / "state", project / "broken"))
    monkeypatch.setenv("FEATURES_STATE", str(state))
    yield Features(capsys), state
    shutil.rmtree(state)


def filled_in(command: list[str], folder: Path) -> list[str]:
    spine = folder / "spine.csv"
    spine.write_text("household_id,time\n900,2018-01-02T06:00:00Z\n")
    names = {"spine": spine, "out": folder / "out.csv", "feature": "campaign_type"}
    return [part.format(**names) for part in command]


@pytest.mark.parametrize(("kind", "command"), [*cases()])
def test_a_command_says_in_a_line_what_is_broken(
    world: tuple[Features, Path], kind: str, command: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    features, state = world
    given = filled_in(command, tmp_path)
    if tuple(command) not in _WARM:  # so that whatever it needs is imported
        _WARM.add(tuple(command))
        features(*given)
        shutil.rmtree(state)
        shutil.copytree(state.parent / "state", state)
    DAMAGED.get(kind, lambda _: None)(state)
    if kind in ONLINE:
        monkeypatch.setenv("FEATURES_ONLINE_URL", ONLINE[kind])
    with TROUBLED.get(kind, lambda _: nullcontext())(state):
        code, _, told = features(*given)
    assert code in (0, 1, 2), told
    assert code != 2 or told.startswith("features: "), told
    assert all(line.startswith("features: ") for line in told.splitlines()), told
    assert "Traceback" not in told
    assert "\x1b" not in told
