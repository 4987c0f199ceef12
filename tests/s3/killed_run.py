"""A process that computes values on S3, and is told to die at a point of the commit. Started by the tests."""

import os
import signal
import sys

from feature_store.offline.delta import s3_log
from feature_store.offline.ledger.ledger import Ledger
from feature_store.offline.materialize.materialize import compute_values
from feature_store.offline.tables import partitioned_table
from feature_store.offline.tables.store import OfflineStore
from feature_store.s3.options import S3Options, S3Settings
from tests.offline.definitions import ShopperSpend, day


def _die(*_arguments: object, **_options: object) -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def main(root: str, run_id: str, death: str) -> None:
    if death == "between upload and commit":
        partitioned_table.commit_days = _die
    if death == "before the conditional put":
        s3_log._put_commit = _die
    if death == "before the first checkpoint":
        s3_log._checkpoint = _die
    if death == "before the ledger":
        Ledger.update = _die
    store = OfflineStore(root, S3Options(S3Settings.from_environment()))
    compute_values(store, ShopperSpend, day(0), day(4), run_id)


if __name__ == "__main__":
    main(*sys.argv[1:])
