"""``python -m tests.demo.over_midnight LATER``: the demo, while the clock goes on to LATER in the middle of it.

From when the first raw table is written, this process and those that it starts then see LATER as now.
"""

from __future__ import annotations

import os
import sys
import threading
import time
from pathlib import Path

from feature_assets.demo.endings import main
from resources.settings import Settings


def go_on(raw: Path, later: str) -> None:
    while not any(raw.glob("*.ledger")):
        time.sleep(0.01)
    os.environ["FEATURES_NOW"] = later


if __name__ == "__main__":
    raw = Path(Settings.from_environment().offline_root) / "raw"
    threading.Thread(target=go_on, args=(raw, sys.argv[1]), daemon=True).start()
    sys.exit(main())
