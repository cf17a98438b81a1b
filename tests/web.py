"""A web server on loopback that keeps what it was asked, and answers as its paths say.

`/500…` and the like are answered with that status, `/hang` is not answered until the server is closed.
"""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


@dataclass
class Web:
    """The server: its address, what it was asked in order, and what was sent with it."""

    host: str = ""
    asked: list[str] = field(default_factory=list)
    bodies: list[str] = field(default_factory=list)
    closed: threading.Event = field(default_factory=threading.Event)

    def url(self, path: str, scheme: str = "http") -> str:
        """An address here."""
        return f"{scheme}://{self.host}{path}"

    def news(self) -> list[dict[str, Any]]:
        """What apprise sent, as `json://` has it."""
        return [json.loads(body) for body in self.bodies if body.startswith("{")]


@contextmanager
def serving() -> Iterator[Web]:
    """A server until the block is left."""
    web = Web()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            length = int(self.headers.get("Content-Length") or 0)
            web.bodies.append(self.rfile.read(length).decode())
            web.asked.append(f"{self.command} {self.path}")
            if self.path.startswith("/hang"):
                web.closed.wait(60)
            status = re.match(r"/(\d{3})", self.path)
            self.send_response(int(status[1]) if status else 200)
            self.send_header("Content-Length", "0")
            self.end_headers()

        do_POST = do_GET  # noqa: N815 - as http.server wants it

        def log_message(self, *_arguments: object) -> None:
            """Nothing is to be read."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    server.handle_error = lambda *_arguments: None  # type: ignore[method-assign] # who hung up has gone
    web.host = f"127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    try:
        yield web
    finally:
        web.closed.set()
        server.shutdown()
        thread.join()
        server.server_close()
