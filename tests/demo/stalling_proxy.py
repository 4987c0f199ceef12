"""A TCP proxy before the online store that passes nothing on from a chosen moment: a load stands still there."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable

PIECE = 16_384


class StallingProxy:
    """Passes bytes between clients and a server. Used as a context manager.

    Args:
        port: of the server, on loopback.
    """

    def __init__(self, port: int) -> None:
        self._server_port = port
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._stall_when: Callable[[], bool] | None = None
        self._open: list[socket.socket] = []
        self._lock = threading.Lock()
        self.stalled = threading.Event()

    @property
    def url(self) -> str:
        return f"redis://127.0.0.1:{self._listener.getsockname()[1]}/0"

    def stall_when(self, reached: Callable[[], bool]) -> None:
        """From when ``reached``, asked before every piece, is true, pass nothing on to the server."""
        self._stall_when = reached

    def resume(self) -> None:
        """Serve new connections; what was held back is dropped with the old ones, as if the client's host had died."""
        self._stall_when = None
        self.stalled.clear()
        self._close_all()

    def __enter__(self) -> StallingProxy:
        threading.Thread(target=self._accept, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._listener.close()
        self._close_all()

    def _accept(self) -> None:
        while True:
            try:
                client, _address = self._listener.accept()
            except OSError:
                return
            server = socket.create_connection(("127.0.0.1", self._server_port))
            with self._lock:
                self._open += [client, server]
            threading.Thread(target=self._pass_on, args=(client, server, True), daemon=True).start()
            threading.Thread(target=self._pass_on, args=(server, client, False), daemon=True).start()

    def _pass_on(self, source: socket.socket, target: socket.socket, guarded: bool) -> None:
        try:
            while piece := source.recv(PIECE):
                if guarded and self._holds_back():
                    return
                target.sendall(piece)
            target.shutdown(socket.SHUT_WR)
        except OSError:
            return

    def _holds_back(self) -> bool:
        with self._lock:
            if not self.stalled.is_set() and self._stall_when is not None and self._stall_when():
                self.stalled.set()
            return self.stalled.is_set()

    def _close_all(self) -> None:
        with self._lock:
            for each in self._open:
                each.close()
            self._open.clear()
