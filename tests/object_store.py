"""An S3 server of this test run, buckets in it, and a proxy before it that fails as asked."""

from __future__ import annotations

import contextlib
import http.client
import socket
import struct
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import boto3
from moto.server import ThreadedMotoServer

from configs.storage import StorageConfig, location

ERROR = '<?xml version="1.0" encoding="UTF-8"?><Error><Code>{code}</Code><Message>told so</Message></Error>'


@dataclass
class Server:
    """moto's S3, and ``proxy`` before it. ``keys``: a file of credentials."""

    port: int
    keys: Path
    count: int = 0

    @property
    def endpoint(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def config(self, endpoint: str | None = None, **more: Any) -> StorageConfig:
        settings: dict[str, Any] = {"retry_s": 3.0, "timeout_s": 20.0, "cache_gigabytes": 0.0} | more
        return StorageConfig(endpoint or self.endpoint, "us-east-1", str(self.keys), **settings)

    def bucket(self) -> Path:
        """A new one, empty."""
        self.count += 1
        name = f"bucket-{self.count}"
        client(self.endpoint).create_bucket(Bucket=name)
        return location(f"s3://{name}")


def client(endpoint: str) -> Any:
    """Another library's view of the server."""
    keys = {"aws_access_key_id": "key", "aws_secret_access_key": "secret"}
    return boto3.client("s3", endpoint_url=endpoint, region_name="us-east-1", **keys)


@contextlib.contextmanager
def serving(folder: Path) -> Iterator[Server]:
    keys = folder / "credentials"
    keys.write_text("[default]\naws_access_key_id = key\naws_secret_access_key = secret\n")
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    try:
        yield Server(server.get_host_and_port()[1], keys)
    finally:
        server.stop()


Fault = Callable[[str, str], Any]
"""Of a method and a path: None passes; (status, code) answers; ``reset`` breaks the connection; a number waits so long
before it passes; ``lost`` passes it and breaks the connection before the answer."""


@dataclass
class Proxy:
    """Counts requests, and fails where ``fault`` says so."""

    port: int
    fault: Fault = lambda method, path: None
    asked: list[tuple[str, str]] = field(default_factory=list)

    @property
    def endpoint(self) -> str:
        return f"http://127.0.0.1:{self.port}"


@contextlib.contextmanager
def proxied(server: Server) -> Iterator[Proxy]:
    """A proxy before ``server``."""
    proxy = Proxy(0)

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def log_message(self, *_: Any) -> None:
            """Nothing."""

        def answer(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            proxy.asked.append((self.command, self.path))
            fault = proxy.fault(self.command, self.path)
            if isinstance(fault, int | float):
                time.sleep(fault)
            if fault == "reset":
                self.reset()
            elif isinstance(fault, tuple):
                self.reply(fault[0], {}, ERROR.format(code=fault[1]).encode() if self.command != "HEAD" else b"")
            else:
                status, headers, data = forwarded(server.port, self.command, self.path, dict(self.headers), body)
                if fault == "lost":
                    self.reset()
                else:
                    self.reply(status, headers, data)

        do_GET = do_PUT = do_HEAD = do_POST = do_DELETE = answer

        def reset(self) -> None:
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            self.connection.close()
            self.close_connection = True

        def reply(self, status: int, headers: dict[str, str], data: bytes) -> None:
            self.send_response(status)
            for name, value in headers.items():
                if name.lower() not in ("transfer-encoding", "connection", "date", "server", "content-length"):
                    self.send_header(name, value)
            length = headers.get("Content-Length", str(len(data))) if self.command == "HEAD" else str(len(data))
            self.send_header("Content-Length", length)
            self.end_headers()
            with contextlib.suppress(OSError):
                self.wfile.write(data)

    listener = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    listener.daemon_threads = True
    proxy.port = listener.server_address[1]
    threading.Thread(target=listener.serve_forever, daemon=True).start()
    try:
        yield proxy
    finally:
        listener.shutdown()
        listener.server_close()


def forwarded(
    port: int, method: str, path: str, headers: dict[str, str], body: bytes
) -> tuple[int, dict[str, str], bytes]:
    """What the server behind the proxy answers."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    connection.request(method, path, body=body, headers=headers)
    answer = connection.getresponse()
    data = answer.read()
    connection.close()
    return answer.status, dict(answer.getheaders()), data
