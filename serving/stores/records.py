"""The JSON records that the store keeps of views: how they are read."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any, TypeVar

from feature_store.errors import FeatureStoreError
from serving.stores.errors import StoreError

T = TypeVar("T")


def read_record(value: bytes, meaning_of: Callable[[Any], T]) -> T:
    """Return what a record means; fields that ``meaning_of`` does not ask for, of a newer release, are ignored.

    Raises:
        StoreError: it is no such record.
    """
    try:
        return meaning_of(json.loads(value))
    except (ValueError, LookupError, TypeError, FeatureStoreError) as error:
        raise StoreError(
            f"its record in the online store cannot be read ({type(error).__name__}: {error}): "
            f"load the view again, or restart its stream writer, with the release that reads it"
        ) from error
