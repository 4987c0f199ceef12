"""What docs/explain.md shows is what the commands print, but for what the clock decides.

``UPDATE_DOCS=1`` runs the commands and writes what they print into the page.
"""

import os
import re
import shlex
import shutil
from datetime import UTC, datetime, timedelta
from pathlib import Path

import polars as pl
import pytest

from feature_assets.cli import explaining
from feature_assets.cli.app import run
from feature_assets.project import load_declarations
from feature_assets.project.declarations import collect
from feature_assets.raw import entities, sources
from feature_store import FeatureView, col, count, stream_view, sum_
from feature_store.offline.materialize.materialize import compute_tiles
from feature_store.offline.tables.store import OfflineStore
from resources.settings import project_root
from serving.load.sync import sync_view
from serving.stores.open_store import open_loader
from serving.streams.writer import StreamWriter
from tests.fixtures.small_store import SmallStore, small_store

__all__ = ["small_store"]

PAGE = project_root() / "docs" / "explain.md"
RUN = re.compile(r"<!-- run: (?P<command>.*?) -->\n(?:\n```console\n.*?```\n)?", re.DOTALL)
BATCH_END = datetime(2017, 12, 31, tzinfo=UTC)
BY_THE_CLOCK = ("landed at", "published at", "generation", "run ")


@pytest.fixture
def page(small_store: SmallStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """The page; the store is the small one, with the stream view that the page declares beside the teams' views."""
    text = PAGE.read_text()
    shutil.copytree(small_store.offline.root, tmp_path / "offline")
    wide = {"COLUMNS": "1000"}  # whatever the terminal is that the tests run in
    for name, value in {**small_store.environment, "FEATURES_OFFLINE_ROOT": str(tmp_path / "offline"), **wide}.items():
        monkeypatch.setenv(name, value)
    monkeypatch.delenv("COLUMNS", raising=False)
    view = declared(text)
    fill(OfflineStore(str(tmp_path / "offline")), small_store, view)
    teams = load_declarations()
    with_stream = collect([*teams.views.values(), view], teams.services.values())
    monkeypatch.setattr(explaining, "declared", lambda: with_stream)
    return text


def declared(text: str) -> FeatureView:
    (code,) = re.findall(r"```python\n(.*?)```", text, re.DOTALL)
    scope = {"stream_view": stream_view, "count": count, "sum_": sum_, "col": col}
    scope |= {"household": entities.household, "purchases": sources.purchases, "__name__": "explain_page"}
    exec(compile(code, str(PAGE), "exec"), scope)
    return next(value for value in scope.values() if isinstance(value, FeatureView))


def fill(store: OfflineStore, small: SmallStore, view: FeatureView) -> None:
    """Batch tiles up to the last day of the year, and that day as it happened."""
    url = small.environment["FEATURES_ONLINE_URL"]
    compute_tiles(store, view, BATCH_END - timedelta(days=3), BATCH_END, "docs")
    stream = StreamWriter(url, view, since=BATCH_END - timedelta(days=1), offline=store)
    writer = open_loader(url)
    sync_view(store, view, writer, BATCH_END + timedelta(hours=3))
    live = small.purchases.filter(pl.col("purchased_at") >= BATCH_END - timedelta(days=1))
    stream.append(live.drop("partition_start"), until=BATCH_END + timedelta(days=1))
    writer.close()
    stream.close()


def printed(command: str, capsys: pytest.CaptureFixture[str]) -> str:
    capsys.readouterr()
    code = run(shlex.split(command))
    shown = capsys.readouterr()
    assert (code, shown.err) == (0, ""), command
    return "\n".join(line.rstrip() for line in shown.out.splitlines())


def stable(text: str) -> list[str]:
    return [line for line in text.splitlines() if not line.startswith(BY_THE_CLOCK)]


def test_the_page_shows_what_the_commands_print(page: str, capsys: pytest.CaptureFixture[str]) -> None:
    def shown(match: re.Match[str]) -> str:
        command = match["command"]
        return f"<!-- run: {command} -->\n\n```console\n$ features {command}\n{printed(command, capsys)}\n```\n"

    found = RUN.sub(shown, page)
    if os.environ.get("UPDATE_DOCS"):
        PAGE.write_text(found)
    assert len(RUN.findall(found)) == 4
    assert stable(PAGE.read_text()) == stable(found)
    assert "DIFFERENT" not in found
    assert found.count("same: offline") == 4
    (first, *_others) = re.findall(r"^\$ features (.*)$", found, re.MULTILINE)
    assert "feature " in printed(first, capsys)
