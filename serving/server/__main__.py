"""``python -m serving.server --plans DIR --url URL --port N --workers N``: run the HTTP server."""

from __future__ import annotations

import argparse
import os
import socket
from collections.abc import Callable
from functools import partial
from typing import Final

from granian import Granian
from granian.constants import Interfaces, Loops

from feature_store.checks.branch_names import check_branch_name
from feature_store.errors import InputError
from feature_store.plans.plan_revisions import branch_plans
from feature_store.s3.options import S3Options, S3Settings
from feature_store.s3.paths import place_of
from serving.server.app import build
from serving.stores.open_store import open_async_reader
from serving.stores.spaces import in_space

STOP_SECONDS: Final = 10
"""The time in which a worker may finish what it is at."""


def main() -> None:
    """Read the command line and serve until stopped."""
    parser = argparse.ArgumentParser(prog="python -m serving.server", description="Serve feature vectors over HTTP.")
    parser.add_argument(
        "--plans",
        required=True,
        help="folder that `features apply` writes, or s3://bucket/prefix; FEATURES_S3_ENDPOINT, _REGION, _ADDRESSING, "
        "_PROFILE and _ROLE say where S3 is and who asks there",
    )
    parser.add_argument(
        "--url",
        default=os.environ.get("FEATURES_ONLINE_URL"),
        help="online store, e.g. redis://127.0.0.1:6379/0 (default: the environment's FEATURES_ONLINE_URL, which "
        "keeps a password out of the list of processes)",
    )
    parser.add_argument(
        "--branch", type=check_branch_name, help="serve the plans and values of this branch (default: production)"
    )
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on (default: loopback only)")
    parser.add_argument("--port", type=_number(1, 65535), default=8080)
    parser.add_argument("--workers", type=_number(1, 1024), default=1, help="processes; one per core is a good start")
    given = parser.parse_args()
    if not given.url:
        parser.error("--url: give the online store's URL, or set FEATURES_ONLINE_URL")
    try:
        place = place_of(given.plans, S3Options(S3Settings.from_environment()))
        plans = branch_plans(place, given.branch or "")
    except InputError as error:
        parser.error(f"--plans: {error}")
    try:
        url = in_space(given.url, given.branch or "")
        open_async_reader(url)
    except (InputError, ValueError, OSError) as error:
        parser.error(f"--url: {error}")
    try:
        _try_to_listen(given.host, given.port)
    except OSError as error:
        parser.error(f"--host {given.host} --port {given.port}: {error.strerror}")
    server = Granian(
        "serving.server.app",
        address=given.host,
        port=given.port,
        workers=given.workers,
        interface=Interfaces.RSGI,
        loop=Loops.uvloop,
        websockets=False,
        respawn_failed_workers=True,
        workers_kill_timeout=STOP_SECONDS,
    )
    server.serve(target_loader=partial(build, plans, url), wrap_loader=False)


def _number(least: int, most: int) -> Callable[[str], int]:
    def read(text: str) -> int:
        if not text.isascii() or not text.isdigit() or not least <= int(text) <= most:
            raise argparse.ArgumentTypeError(f"{text!r} is not a whole number from {least} to {most}")
        return int(text)

    return read


def _try_to_listen(host: str, port: int) -> None:
    """Raise OSError where that is impossible: the server itself would say so in a traceback."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    socket.create_server((host, port), family=family).close()


if __name__ == "__main__":
    main()
