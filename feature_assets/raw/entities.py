"""What this retailer's features describe. Entities are shared, so that every team spells their keys alike."""

from __future__ import annotations

from feature_store import Entity, Int64, String

household = Entity("household", keys={"household_id": Int64}, description="A household with a loyalty card")

store = Entity("store", keys={"store_id": Int64}, description="A shop")

product = Entity("product", keys={"product_id": Int64}, description="An article as it is scanned at the till")

product_category = Entity(
    "product_category",
    keys={"product_category": String},
    description="A category of the product hierarchy, e.g. SOFT DRINKS",
)

household_department = Entity(
    "household_department",
    keys={"household_id": Int64, "department": String},
    description="A household in a department of the product hierarchy, e.g. PRODUCE",
)
