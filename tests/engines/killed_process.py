"""A process that computes values and dies at a point of the commit. Started by the tests."""

import os
import signal
import sys

from feature_store.offline.ledger.ledger import Ledger
from feature_store.offline.materialize.materialize import compute_values
from feature_store.offline.tables import partitioned_table
from feature_store.offline.tables.store import OfflineStore
from tests.engines.engines import ENGINES
from tests.offline.definitions import START, ShopperSpend, day


def _die(*_arguments: object, **_options: object) -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def main(root: str, engine: str, death: str, days: str) -> None:
    if death == "after the commit":
        Ledger.update = _die
    else:
        partitioned_table.commit_days = _die
    compute_values(OfflineStore(root), ShopperSpend, START, day(int(days)), "killed", engine=ENGINES[engine]())


if __name__ == "__main__":
    main(*sys.argv[1:])
