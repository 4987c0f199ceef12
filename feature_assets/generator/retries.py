"""Retries of an op that fails: an outage is tried again, a mistake is not; one whose inputs moved on starts over."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager
from typing import Final

import dagster as dg

from feature_store.errors import ConflictError, FeatureStoreError, StorageError
from serving.stores.errors import StoreError

RETRIES: Final = dg.RetryPolicy(max_retries=3, delay=30, backoff=dg.Backoff.EXPONENTIAL)
"""Of all ops: again after 30, 60 and 120 seconds. What lasts longer is left to the automation conditions."""


@contextmanager
def final_mistakes() -> Generator[None]:
    """Fail at once where trying again cannot help: at what we say is wrong with definitions, rows or partitions.

    Everything else is left to the op's retry policy: stores, disks and networks that do not answer, commits that
    collide.

    Raises:
        Failure: it is not tried again; caused by the mistake.
    """
    try:
        yield
    except (StoreError, StorageError, ConflictError):
        raise
    except FeatureStoreError as mistake:
        raise dg.Failure(str(mistake), allow_retries=False) from mistake


def start_over_if(moved_on: bool) -> None:
    """Run the step again, since something that it read was written anew while it was at work.

    So what is reported as materialized was computed from all that had been reported before: automation relies on it.

    Args:
        moved_on: whether that is so, asked after the results were written.

    Raises:
        RetryRequested: it is.
    """
    if moved_on:
        raise dg.RetryRequested(max_retries=RETRIES.max_retries, seconds_to_wait=1)
