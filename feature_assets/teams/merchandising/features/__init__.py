"""Features of products and categories, and of households in departments."""

from feature_assets.teams.merchandising.features.affinity import HouseholdDepartment
from feature_assets.teams.merchandising.features.catalog import ProductCatalog
from feature_assets.teams.merchandising.features.categories import CategoryDemand
from feature_assets.teams.merchandising.features.products import ProductDemand

views = (ProductDemand, ProductCatalog, CategoryDemand, HouseholdDepartment)

__all__ = ["CategoryDemand", "HouseholdDepartment", "ProductCatalog", "ProductDemand", "views"]
