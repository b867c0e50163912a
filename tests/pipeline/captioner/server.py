"""An OpenAI-compatible server on loopback that fails on command."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

GOOD = '{"Caption": "A cat", "Image Type": "photograph", "Image Style": "realistic", "Watermark List": [], "Abnormal Element": "no"}'
TEXT_TOKENS, IMAGE_TOKENS = 300, 64


@dataclass
class Server:
    """``script``: what the next requests with a picture get, in turn: a status, ``hang``, ``close``, or an answer's text;
    afterwards ``GOOD``."""

    url: str = ""
    script: list[int | str] = field(default_factory=list)
    bodies: list[dict[str, Any]] = field(default_factory=list)
    headers: list[dict[str, str]] = field(default_factory=list)
    blind: bool = False
    usage: bool = True
    retry_after: str | None = None
    ended: threading.Event = field(default_factory=threading.Event)

    def pictures(self) -> list[dict[str, Any]]:
        """Requests that carried one."""
        return [body for body in self.bodies if len(body["messages"][0]["content"]) == 2]


@contextmanager
def serving() -> Iterator[Server]:
    server = Server()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            server.bodies.append(body)
            server.headers.append(dict(self.headers))
            has_picture = len(body["messages"][0]["content"]) == 2
            what = server.script.pop(0) if has_picture and server.script else GOOD
            if what == "close":
                self.connection.close()
                return
            if what == "hang":
                server.ended.wait(20)
                return
            tokens = TEXT_TOKENS + (IMAGE_TOKENS if has_picture and not server.blind else 0)
            answer: dict[str, Any] = {"choices": [{"message": {"role": "assistant", "content": what}}]}
            if server.usage:
                answer["usage"] = {"prompt_tokens": tokens, "completion_tokens": 50}
            self.reply(what if isinstance(what, int) else 200, json.dumps(answer).encode())

        def reply(self, status: int, data: bytes) -> None:
            self.send_response(status)
            self.send_header("Content-Length", str(len(data)))
            if server.retry_after is not None and status != 200:
                self.send_header("Retry-After", server.retry_after)
            self.end_headers()
            self.wfile.write(data)

        def log_message(self, format: str, *args: object) -> None:
            """Tests say what went wrong."""

    listener = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    listener.daemon_threads = True
    server.url = f"http://127.0.0.1:{listener.server_port}/v1"
    threading.Thread(target=listener.serve_forever, daemon=True).start()
    try:
        yield server
    finally:
        server.ended.set()
        listener.shutdown()
        listener.server_close()
