"""What several teams say of the lines of receipts in the same words: expressions over the columns of ``purchases``."""

from __future__ import annotations

from typing import Final

from feature_store import col

IS_FUEL: Final = col("product_type").fill_null("").lower().contains("gasoline")
"""Fuel is sold in thousandths of a gallon: its quantities would drown all others."""

DISCOUNT: Final = col("retail_disc") + col("coupon_disc") + col("coupon_match_disc")
"""What the household did not pay: loyalty price, manufacturer's coupon, and the shop's match of it."""

SHELF_PRICE: Final = col("sales_value") + col("retail_disc") + col("coupon_match_disc")
"""A manufacturer pays its coupon to the shop, so the sales value holds it already."""

UNIT_PRICE: Final = col("sales_value") / col("quantity")
