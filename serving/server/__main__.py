"""``python -m serving.server --plans DIR --url URL --port N --workers N``: run the HTTP server."""

from __future__ import annotations

import argparse
import os
from functools import partial
from pathlib import Path

from granian import Granian
from granian.constants import Interfaces, Loops

from serving.server.app import build


def main() -> None:
    """Read the command line and serve until stopped."""
    parser = argparse.ArgumentParser(prog="python -m serving.server", description="Serve feature vectors over HTTP.")
    parser.add_argument("--plans", type=Path, required=True, help="folder that `features apply` writes")
    parser.add_argument(
        "--url",
        default=os.environ.get("FEATURES_ONLINE_URL"),
        help="online store, e.g. redis://127.0.0.1:6379/0 (default: the environment's FEATURES_ONLINE_URL, which "
        "keeps a password out of the list of processes)",
    )
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on (default: loopback only)")
    parser.add_argument("--port", type=int, default=8080)
    parser.add_argument("--workers", type=int, default=1, help="processes; one per core is a good start")
    given = parser.parse_args()
    if not given.url:
        parser.error("--url: give the online store's URL, or set FEATURES_ONLINE_URL")
    server = Granian(
        "serving.server.app",
        address=given.host,
        port=given.port,
        workers=given.workers,
        interface=Interfaces.RSGI,
        loop=Loops.uvloop,
        websockets=False,
    )
    server.serve(target_loader=partial(build, given.plans, given.url), wrap_loader=False)


if __name__ == "__main__":
    main()
