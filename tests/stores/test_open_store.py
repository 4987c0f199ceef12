"""A store is opened by the scheme of its URL, in one place."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from feature_store.codec.tile_codec import TileLayout
from feature_store.errors import InputError
from serving.client import FeatureClient
from serving.stores.open_store import SCHEMES, open_async_reader, open_loader, open_reader, open_stream_rows

ROOT = Path(__file__).parents[2]
TILES = TileLayout((1_000_000,), ())


@pytest.mark.parametrize(
    "open_it",
    [
        open_reader,
        open_async_reader,
        open_loader,
        lambda url: open_stream_rows(url, "a/b/v1", TILES, since=0, whole_from=0),
        lambda url: FeatureClient("plans", url),
    ],
    ids=["reader", "async reader", "loader", "stream rows", "client"],
)
@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("redos://user:secret@127.0.0.1:6379/0", "the scheme 'redos'"),
        ("127.0.0.1:6379", "a text without a scheme"),
        ("", "a text without a scheme"),
    ],
)
def test_a_scheme_that_no_store_has_is_refused_with_those_there_are(
    open_it: Callable[[str], object], url: str, said: str
) -> None:
    with pytest.raises(InputError, match=said) as caught:
        open_it(url)
    assert all(f"{scheme}://" in str(caught.value) for scheme in SCHEMES)
    assert "secret" not in str(caught.value)


def test_only_what_is_opened_is_imported() -> None:
    code = (
        "import sys; from serving.stores.open_store import open_reader, open_loader\n"
        "def loaded(): return [name for name in sys.modules if name.startswith('serving.stores.redis')]\n"
        "assert not loaded(), loaded()\n"
        "open_reader('redis://127.0.0.1:1/0')\n"
        "assert loaded() and not any('.write' in name for name in loaded()), loaded()\n"
        "open_loader('redis://127.0.0.1:1/0')\n"
        "assert 'serving.stores.redis.write.loader' in loaded()\n"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_nobody_else_names_a_store() -> None:
    """Whoever names a store of its own has to be changed when another one comes."""
    named = [
        f"{path.relative_to(ROOT)}: {line.strip()}"
        for folder in ("serving", "resources", "feature_assets", "sensors")
        for path in sorted((ROOT / folder).rglob("*.py"))
        if "serving/stores/" not in path.as_posix()
        for line in path.read_text().splitlines()
        if "serving.stores.redis" in line and "embedded" not in line
    ]
    assert named == []
