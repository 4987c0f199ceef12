"""How categories sell."""

from __future__ import annotations

from feature_assets.raw.entities import product_category
from feature_assets.raw.sources import purchases
from feature_store import approx_percentile, col, derive, feature_view, skew, std, sum_


@feature_view(
    entity=product_category,
    source=purchases,
    namespace="retail",
    version=1,
    owner="merchandising",
    readers=["growth", "stores"],
    cadence="1d",
    available_after="2h",
    freshness="27h",
    ttl="7d",
)
class CategoryDemand:
    """How a category sells. Lines of products without a category are left out, and counted."""

    sales_28d = sum_(col("sales_value"), over="28d", description="Sales value, last 28 days, USD")
    private_label_sales_28d = sum_(
        col("sales_value"),
        where=col("brand") == "Private",
        over="28d",
        description="Sales value of our own brands, last 28 days, USD",
    )
    line_std_28d = std(
        col("sales_value"), over="28d", description="How much the value of a line varies, last 28 days, USD"
    )
    line_skew_28d = skew(
        col("sales_value"),
        over="28d",
        description="Skewness of the value of a line, last 28 days: high where few lines are large",
    )
    dear_line_28d = approx_percentile(
        col("sales_value"), 0.9, over="28d", description="90th percentile of the value of a line, to 1 percent, USD"
    )
    private_label_share = derive(
        private_label_sales_28d / sales_28d, description="Our own brands' share of the sales value"
    )
