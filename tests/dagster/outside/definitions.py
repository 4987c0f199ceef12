"""The project's code location: its tables as assets, and the features that read them."""

from datetime import datetime

import dagster as dg
import pandas as pd
import polars as pl
import pyarrow as pa

from feature_assets import build_feature_assets, source_asset
from resources.offline import DeltaIOManager, OfflineStoreResource
from resources.online import OnlineStoreResource
from tests.dagster.outside.features import rides, scores, services, views


class Warehouse(dg.ConfigurableResource):
    """The project's own resource."""

    folder: str

    def between(self, table: str, time: str, start: datetime, end: datetime) -> pl.DataFrame:
        rows = pl.scan_parquet(f"{self.folder}/{table}.parquet")
        return rows.filter(pl.col(time).is_null() | pl.col(time).is_between(start, end, closed="left")).collect()


@source_asset(scores, deps=["dbt_rider_scores"], owners=["team:analytics"], kinds={"dbt"})
def rider_scores(context: dg.AssetExecutionContext, warehouse: Warehouse) -> pd.DataFrame:
    """The scores of a day, as pandas: nanoseconds, and a column nobody declared."""
    start, end = context.partition_time_window
    frame = warehouse.between("scores", "scored_at", start, end).to_pandas(use_pyarrow_extension_array=True)
    return frame.assign(scored_at=frame["scored_at"].astype("datetime64[ns, UTC]"), note="x")


@source_asset(rides, cadence="1h")
def all_rides(context: dg.AssetExecutionContext, warehouse: Warehouse) -> pa.Table:
    start, end = context.partition_time_window
    return warehouse.between("rides", "ended_at", start, end).to_arrow()


def definitions(root: str, warehouse: str) -> dg.Definitions:
    """Everything that Dagster needs to know: the project's own assets beside those of its features."""
    offline = OfflineStoreResource(root=root, team="riders")
    resources = {
        "offline_store": offline,
        "delta_io": DeltaIOManager(offline_store=offline),
        "online_store": OnlineStoreResource(url="redis://127.0.0.1:1/0"),
        "warehouse": Warehouse(folder=warehouse),
    }
    own = dg.Definitions(assets=[rider_scores, all_rides], resources=resources)
    return dg.Definitions.merge(build_feature_assets(views, services), own)
