"""A local server that speaks the part of Slack's Web API that alerts use."""

import json
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs


class SlackServer:
    """Keeps posted messages; ``broken`` makes it answer as Slack does when it cannot post; ``seconds`` is how long it
    takes for an answer."""

    def __init__(self):
        self.messages: list[dict] = []
        self.broken: set[str] = set()
        self.seconds = 0.0
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self):
                body = self.rfile.read(int(self.headers["Content-Length"])).decode()
                form = self.headers["Content-Type"].startswith("application/x-www-form-urlencoded")
                sent = {k: v[0] for k, v in parse_qs(body).items()} if form else json.loads(body)
                time.sleep(outer.seconds)
                assert self.path == "/api/chat.postMessage"
                assert self.headers["Authorization"] == "Bearer xoxb-test"
                answer = {"ok": False, "error": "channel_not_found"}
                if sent["channel"] not in outer.broken:
                    outer.messages.append(sent)
                    answer = {"ok": True, "channel": "C1", "ts": "1.1", "message": {"text": sent["text"]}}
                encoded = json.dumps(answer).encode()
                self.send_response(200)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(encoded)))
                self.end_headers()
                self.wfile.write(encoded)

            def log_message(self, *_):
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_port}/api/"

    def __enter__(self) -> "SlackServer":
        self._thread.start()
        return self

    def __exit__(self, *_) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()
