"""The HTTP side door of every process: /metrics for Prometheus and /healthz for supervisors."""

import json
import selectors
import socket
import threading
from collections.abc import Callable, Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import ClassVar

from prometheus_client import CONTENT_TYPE_LATEST

from chassis.startup import StartupError
from chassis.telemetry.metrics import exposition

States = Callable[[], Mapping[str, bool]]


class Endpoint:
    """Serves in daemon threads until `close`.

    /healthz answers 200 while every dependency in `states()` is up and 503 otherwise, with the
    states as a JSON object. Holds nothing secret, but belongs on an internal address.
    """

    def __init__(self, listen: str, states: States) -> None:
        """Bind `host:port` at once; StartupError if it is taken."""
        host, _, port = listen.rpartition(":")
        handler = type("Handler", (_Handler,), {"states": staticmethod(states)})
        try:
            self._server = _Server((host, int(port)), handler)
        except OSError as error:
            raise StartupError(
                f"can't serve metrics on {listen}: {error.strerror}; set ..._METRICS_LISTEN",
            ) from error
        self.port: int = self._server.server_address[1]
        self._stop, self._stopped = socket.socketpair()
        self._thread = threading.Thread(target=self._serve, name="metrics", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Stop at once: `serve_forever` would look for its end only twice a second."""
        self._stop.close()
        self._thread.join()
        self._stopped.close()
        self._server.server_close()

    def _serve(self) -> None:
        with selectors.DefaultSelector() as selector:
            selector.register(self._server, selectors.EVENT_READ)
            selector.register(self._stopped, selectors.EVENT_READ)
            while all(key.fileobj is self._server for key, _ in selector.select()):
                self._server.handle_request()


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    timeout = 0  # seconds to wait for a connection that has gone again


class _Handler(BaseHTTPRequestHandler):
    states: ClassVar[States]
    timeout = 5  # seconds: an idle scraper doesn't keep a thread

    def do_GET(self) -> None:
        if self.path == "/metrics":
            self._answer(200, CONTENT_TYPE_LATEST, exposition())
        elif self.path == "/healthz":
            states = dict(type(self).states())
            code = 200 if all(states.values()) else 503
            self._answer(code, "application/json", json.dumps(states).encode())
        else:
            self._answer(404, "text/plain", b"/metrics or /healthz\n")

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - http.server's name
        """Scrapes aren't logged."""

    def _answer(self, code: int, content_type: str, body: bytes) -> None:
        self.send_response(code)
        self.send_header("Content-Type", content_type)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
