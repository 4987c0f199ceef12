"""A process that writes values, and may be told to die at a point of the write. Started by the tests."""

import os
import signal
import sys

from feature_store.offline.ledger.ledger import Ledger
from feature_store.offline.tables import partitioned_table
from feature_store.offline.tables.store import OfflineStore
from tests.offline.definitions import ShopperSpend, day, spend_values


def _die(*_arguments: object, **_options: object) -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def main(root: str, run_id: str, first: str, last: str, pieces: str, death: str) -> None:
    if death == "before the Delta commit":
        partitioned_table.overwrite_range = _die
    if death == "after the Delta commit":
        Ledger.update = _die
    start, end = int(first), int(last)
    rows = [(day(number), shopper, int(pieces)) for number in range(start, end) for shopper in (1, 2)]
    OfflineStore(root).values(ShopperSpend).write(spend_values(rows), day(start), day(end), run_id=run_id)


if __name__ == "__main__":
    main(*sys.argv[1:])
