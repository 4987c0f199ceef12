"""The campaign a household is in."""

from __future__ import annotations

from feature_assets.raw.entities import household
from feature_assets.raw.sources import campaigns
from feature_store import feature_view, field


@feature_view(
    entity=household,
    source=campaigns,
    namespace="retail",
    version=1,
    owner="growth",
    readers=["everyone"],
    cadence="1d",
    available_after="2h",
    freshness="51h",
)
class HouseholdCampaign:
    """The running campaign that a household was added to last.

    The table already holds the values, made elsewhere (here by landing; just as well by dbt or Spark), so its columns
    are the features and nothing is computed.
    """

    campaign_id = field(description="The campaign; null if none is running")
    campaign_type = field(description="Type A (each household its own coupons), B or C (all households the same)")
