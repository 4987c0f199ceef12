"""A process that writes values while its disk is full, or applies plans and dies half way. Started by the tests."""

import os
import resource
import signal
import sys
from pathlib import Path

from feature_store.engines.numpy.compile_service import compile_plan
from feature_store.offline.materialize.materialize import compute_tiles, compute_values
from feature_store.offline.tables.store import OfflineStore
from feature_store.plans.service_plan import write_plan
from tests.offline.definitions import ShopperSpend, day, service, spend_values


def limit(size: int) -> None:
    """Let no file of this process become longer: writing on fails as on a full disk, though others fit."""
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, size))


def write(root: str, size: str) -> None:
    """Write two days of values at once."""
    limit(int(size))
    rows = [(day(number), shopper, 9) for number in (1, 2) for shopper in range(60)]
    OfflineStore(root).values(ShopperSpend).write(spend_values(rows), day(1), day(3), run_id="full")


def compute(root: str, size: str) -> None:
    """Compute tiles and values, which are staged."""
    limit(int(size))
    compute_tiles(OfflineStore(root), ShopperSpend, day(0), day(6), "full")
    compute_values(OfflineStore(root), ShopperSpend, day(4), day(6), "full")


def apply(folder: str, deaths: str) -> None:
    """Write the plan of a service, and die before (0) or after (1) it takes its place."""
    replace = Path.replace

    def die(self: Path, target: Path) -> Path:
        if deaths == "1":
            replace(self, target)
        os.kill(os.getpid(), signal.SIGKILL)
        return target

    Path.replace = die  # pyright: ignore[reportAttributeAccessIssue]
    write_plan(Path(folder), compile_plan(service))


if __name__ == "__main__":
    {"write": write, "compute": compute, "apply": apply}[sys.argv[1]](*sys.argv[2:])
