"""The limit of the hardware: rows of fixed bytes in and out of a plain socket, nothing checked, nothing general.

A row is an int64 and the features as float32 under the key ``u:`` and a big-endian u64: what the store has to move.
"""

from __future__ import annotations

import socket
import threading
from collections.abc import Sequence
from urllib.parse import urlsplit

import numpy as np

_BATCH = 50_000


def row_dtype(features: int) -> np.dtype:
    """Return the numpy type of a row."""
    return np.dtype([("at", "<i8"), ("values", "<f4", (features,))])


def rows_of(values: np.ndarray) -> list[bytes]:
    """Return features as rows."""
    rows = np.empty(len(values), row_dtype(values.shape[1]))
    rows["at"], rows["values"] = 1, values
    return rows.view(f"V{rows.itemsize}").tolist()


def key_bytes(ids: Sequence[int] | np.ndarray) -> list[bytes]:
    """Return the keys of entities."""
    keys = np.empty(len(ids), np.dtype([("prefix", "V2"), ("id", ">u8")]))
    keys["prefix"] = np.void(b"u:")
    keys["id"] = ids
    return keys.view("V10").tolist()


def connect(url: str) -> socket.socket:
    """Return a socket to a server on this machine."""
    parts = urlsplit(url)
    connection = socket.create_connection((parts.hostname, parts.port))
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return connection


def load(url: str, values: np.ndarray) -> None:
    """Write one row per row of ``values`` as fast as a socket takes them."""
    entities, features = values.shape
    row = row_dtype(features)
    head, middle = b"*3\r\n$3\r\nSET\r\n$10\r\n", b"\r\n$%d\r\n" % row.itemsize
    command = np.dtype(
        [
            ("head", f"V{len(head)}"),
            ("u", "V2"),
            ("id", ">u8"),
            ("middle", f"V{len(middle)}"),
            ("row", row),
            ("e", "V2"),
        ]
    )
    with connect(url) as connection:
        replies = threading.Thread(target=_read, args=(connection, entities * len(b"+OK\r\n")))
        replies.start()
        for start in range(0, entities, _BATCH):
            stop = min(start + _BATCH, entities)
            commands = np.empty(stop - start, command)
            commands["head"], commands["u"], commands["middle"] = np.void(head), np.void(b"u:"), np.void(middle)
            commands["id"], commands["e"] = np.arange(start, stop), np.void(b"\r\n")
            commands["row"]["at"], commands["row"]["values"] = 1, values[start:stop]
            connection.sendall(commands.view(np.uint8).data)
        replies.join()


def mget(ids: np.ndarray) -> bytes:
    """Return the command that reads the rows of entities."""
    command = np.empty(len(ids), np.dtype([("head", "V5"), ("u", "V2"), ("id", ">u8"), ("e", "V2")]))
    command["head"], command["u"], command["e"] = np.void(b"$10\r\n"), np.void(b"u:"), np.void(b"\r\n")
    command["id"] = ids
    return b"*%d\r\n$4\r\nMGET\r\n" % (len(ids) + 1) + command.tobytes()


def read(connection: socket.socket, command: bytes, count: int, features: int) -> np.ndarray:
    """Send an MGET of rows that all exist and return their features."""
    row, first = row_dtype(features), len(b"*%d\r\n" % count)
    reply = np.dtype([("head", f"V{len(b'$%d' % row.itemsize) + 2}"), ("row", row), ("e", "V2")])
    buffer = bytearray(first + count * reply.itemsize)
    view, filled = memoryview(buffer), 0
    connection.sendall(command)
    while filled < len(buffer):
        filled += connection.recv_into(view[filled:])
    return np.frombuffer(buffer, reply, offset=first)["row"]["values"].copy()


def _read(connection: socket.socket, expected: int) -> None:
    buffer = memoryview(bytearray(1 << 20))
    while expected > 0:
        expected -= connection.recv_into(buffer)
