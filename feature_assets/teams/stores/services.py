"""What the stores team's models read."""

from __future__ import annotations

from feature_assets.teams.stores.features import StorePulse, StoreTraffic
from feature_store import FeatureService

store_demand = FeatureService(
    "store_demand",
    version=1,
    owner="stores",
    readers=["merchandising"],
    description="How many baskets will this store see in the next 24 hours?",
    features=[StoreTraffic.all(), StorePulse.all()],
)

services = (store_demand,)
