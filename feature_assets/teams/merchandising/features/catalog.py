"""What a product is."""

from __future__ import annotations

from feature_assets.raw.entities import product
from feature_assets.raw.sources import products
from feature_store import col, feature_view, field


@feature_view(
    entity=product,
    source=products,
    namespace="retail",
    version=1,
    owner="merchandising",
    readers=["everyone"],
    cadence="1d",
    available_after="2h",
    freshness="51h",
)
class ProductCatalog:
    """A product's place in the hierarchy: the latest row of the table, as it is."""

    department = field(description="Its department, e.g. PRODUCE")
    product_category = field(description="Its category, e.g. SOFT DRINKS; null if it has none")
    brand = field(description="National or Private")
    is_private_label = field(col("brand") == "Private", description="Whether it is one of our own brands")
