"""A process that writes a day of a view, whose one feature it declares as it is told to. Started by the tests."""

import sys
import time
from datetime import timedelta

import polars as pl

from feature_store import FeatureView, col, feature_view, sum_
from feature_store.errors import FingerprintError
from feature_store.offline.tables.store import OfflineStore
from tests.offline.definitions import INSTANT, day, purchases, shopper

REFUSED = 3


def view_of(windows: dict[str, str], **options: str) -> FeatureView:
    """Return a view of a sum per window, by name."""
    sums = {name: sum_(col("pieces"), over=over, description="Pieces", **options) for name, over in windows.items()}
    body = type("Defined", (), {"__doc__": "How much a shopper buys.", **sums})
    named = {"entity": shopper, "source": purchases, "namespace": "shop", "version": 1, "owner": "storekeepers"}
    return feature_view(**named, cadence="1d", freshness="2d")(body)


def write(store: OfflineStore, view: FeatureView, number: int, pieces: int = 1) -> None:
    """Write a day of a view, two shoppers."""
    values = {feature.name: [pieces, pieces] for feature in view.stored_features}
    frame = pl.DataFrame({"partition_start": [day(number)] * 2, "shopper_id": [1, 2], **values})
    start = day(number)
    store.values(view).write(frame.cast({"partition_start": INSTANT}), start, start + timedelta(days=1), run_id="r")


def main(root: str, over: str, first: str, last: str, begin: str) -> int:
    store, view = OfflineStore(root), view_of({"pieces": over})
    time.sleep(max(0.0, float(begin) - time.time()))
    for number in range(int(first), int(last)):
        try:
            write(store, view, number)
        except FingerprintError:
            return REFUSED
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
