"""Errors between this project and the online store."""

from __future__ import annotations

from feature_store.errors import FeatureStoreError


class StoreError(FeatureStoreError):
    """Base of the online store's errors."""


class StoreUnavailableError(StoreError):
    """The store's server does not answer, or refuses."""


class StoreFullError(StoreUnavailableError):
    """The store's memory is full: it takes no more rows, and goes on serving those that it has."""


class DamagedListError(StoreError):
    """What the store lists of a view is gone, or not what was written: no row of the view can be found."""


class LeaseHeldError(StoreError):
    """Another loader is at work on the view."""


class LeaseLostError(StoreError):
    """This loader stopped for longer than its lease; what it was loading is never served."""


class StreamTakenOverError(StoreError):
    """Another stream writer took over the view of this one, which writes nothing any more."""


class IncompleteLoadError(FeatureStoreError):
    """The rows of a snapshot are not as many as it promises: not the store's fault, and trying again cannot help."""
