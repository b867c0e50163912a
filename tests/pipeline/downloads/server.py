"""A web server on loopback that misbehaves in every way it is asked to, with an address for each.

It writes every byte of its responses itself, because no HTTP library can be made to break HTTP.
"""

from __future__ import annotations

import asyncio
import contextlib
import datetime
import gzip
import ipaddress
import ssl
import threading
import urllib.parse
import zlib
from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from tests.pipeline.hostile import encode, picture

PNG = encode(picture(64, 48, seed=1), "PNG")
BOMB = gzip.compress(PNG + bytes(20_000_000), 1)
HTML = b"<!DOCTYPE html><html><body>Sorry</body></html>" + b" " * 100


@dataclass
class Request:
    path: str
    headers: dict[str, str]
    port: int
    writer: asyncio.StreamWriter

    async def send(self, *parts: bytes) -> None:
        self.writer.write(b"".join(parts))
        await self.writer.drain()

    async def answer(self, status: int = 200, body: bytes = PNG, **headers: str) -> None:
        fields = {"Content-Length": str(len(body))} | {k.replace("_", "-"): v for k, v in headers.items()}
        await self.send(head(status, fields), body)


def head(status: int, headers: dict[str, str]) -> bytes:
    lines = [f"HTTP/1.1 {status} X", *(f"{name}: {value}" for name, value in headers.items())]
    return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1")


class Close(Exception):
    """The connection ends here."""


Handler = Callable[["Server", Request], Awaitable[None]]
ROUTES: dict[str, Handler] = {}


def route(path: str) -> Callable[[Handler], Handler]:
    def add(handler: Handler) -> Handler:
        ROUTES[path] = handler
        return handler

    return add


@dataclass
class Server:
    """Ports by what they do; by path: requests, headers of the last one, the most at the same time."""

    folder: Path
    repaired: bool = False
    ports: dict[str, int] = field(default_factory=dict)
    requests: Counter[str] = field(default_factory=Counter)
    headers: dict[str, dict[str, str]] = field(default_factory=dict)
    under_way: Counter[str] = field(default_factory=Counter)
    most: Counter[str] = field(default_factory=Counter)

    def url(self, path: str, port: str = "plain", host: str = "127.0.0.1", scheme: str = "http") -> str:
        return f"{scheme}://{host}:{self.ports[port]}{path}"

    def __enter__(self) -> Server:
        self._ready = threading.Event()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._main()), daemon=True)
        self._thread.start()
        assert self._ready.wait(20)
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join(20)

    async def _main(self) -> None:
        self._loop, self._stop = asyncio.get_running_loop(), asyncio.Event()
        plain = ("plain", "off_list", "robots_rules", "robots_500", "robots_404_html", "robots_hang", "robots_delay")
        for name in plain:
            await self._listen(name, self._serve)
        await self._listen("resets", _reset)
        await self._listen("not_http", _not_http)
        for name, (host, days) in {
            "tls": ("127.0.0.1", 1),
            "tls_expired": ("127.0.0.1", -1),
            "tls_other": ("x.example", 1),
        }.items():
            await self._listen(name, self._serve, certificate(self.folder, name, host, days))
        closed = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.ports["nobody"] = closed.sockets[0].getsockname()[1]
        closed.close()
        self._ready.set()
        await self._stop.wait()
        for task in asyncio.all_tasks() - {asyncio.current_task()}:
            task.cancel()

    async def _listen(self, name: str, serve: Callable, context: ssl.SSLContext | None = None) -> None:
        listening = await asyncio.start_server(serve, "127.0.0.1", 0, ssl=context)
        self.ports[name] = listening.sockets[0].getsockname()[1]

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(Close, ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError):
            while True:
                await self._one(await reader.readuntil(b"\r\n\r\n"), writer)
        writer.close()

    async def _one(self, text: bytes, writer: asyncio.StreamWriter) -> None:
        first, *lines = text.decode("latin-1").split("\r\n")
        fields = {k.strip().lower(): v.strip() for k, _, v in (line.partition(":") for line in lines if line)}
        request = Request(first.split(" ")[1], fields, writer.get_extra_info("sockname")[1], writer)
        name = next(n for n, p in self.ports.items() if p == request.port)
        self.requests[f"{name}{request.path}"] += 1
        self.headers[request.path] = fields
        self.under_way[request.path] += 1
        self.most[request.path] = max(self.most[request.path], self.under_way[request.path])
        try:
            if request.path == "/robots.txt":
                await _robots(name, request)
            else:
                await ROUTES.get(request.path.split("?")[0], _picture)(self, request)
        finally:
            self.under_way[request.path] -= 1


async def _reset(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.transport.abort()


async def _not_http(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.write(b"SSH-2.0-OpenSSH_9.9\r\n")
    writer.close()


async def _robots(name: str, request: Request) -> None:
    if name == "robots_rules":
        rules = b"User-agent: *\nDisallow: /\n\nUser-agent: glyphmill\nDisallow: /private*.png$\nAllow: /private/open/*.png\n"
        await request.answer(200, rules)
    elif name == "robots_500":
        await request.answer(500, b"")
    elif name == "robots_hang":
        await asyncio.sleep(60)
    elif name == "robots_delay":
        await request.answer(200, b"User-agent: *\nCrawl-delay: 100000\n")
    else:
        await request.answer(404, HTML)


async def _picture(server: Server, request: Request) -> None:
    await request.answer()


@route("/seed.png")
async def _seed(server: Server, request: Request) -> None:
    await request.answer(200, encode(picture(64, 48, seed=int(request.path.split("?")[1])), "PNG"), ETag='"e"')


@route("/flaky.png")
async def _flaky(server: Server, request: Request) -> None:
    await (request.answer() if server.repaired else request.answer(404, HTML))


@route("/strange-head.png")
async def _strange_head(server: Server, request: Request) -> None:
    lines = b"ETag: \xff\xfe\r\nLast-Modified: \xe2\x80\r\nContent-Type: \x80\r\nContent-Length: %d\r\n" % len(PNG)
    await request.send(b"HTTP/1.1 200 \xff\r\n", lines, b"\r\n", PNG)


@route("/strange-place.png")
async def _strange_place(server: Server, request: Request) -> None:
    await request.send(b"HTTP/1.1 302 X\r\nLocation: //\xff\xfe\x80/\r\nContent-Length: 0\r\n\r\n")


@route("/strange-packing.png")
async def _strange_packing(server: Server, request: Request) -> None:
    await request.send(b"HTTP/1.1 200 X\r\nContent-Encoding: \xff\xfe\r\nContent-Length: 1\r\n\r\n1")


@route("/slow.png")
async def _slow(server: Server, request: Request) -> None:
    await asyncio.sleep(0.02)
    await request.answer()


@route("/chunked.png")
async def _chunked(server: Server, request: Request) -> None:
    await request.send(head(200, {"Transfer-Encoding": "chunked"}))
    for start in range(0, len(PNG), 1000):
        part = PNG[start : start + 1000]
        await request.send(b"%x\r\n" % len(part), part, b"\r\n")
    await request.send(b"0\r\n\r\n")


@route("/until-close.png")
async def _until_close(server: Server, request: Request) -> None:
    await request.send(head(200, {}), PNG)
    raise Close


@route("/gzip.png")
async def _gzip(server: Server, request: Request) -> None:
    await request.answer(200, gzip.compress(PNG), Content_Encoding="gzip")


@route("/deflate.png")
async def _deflate(server: Server, request: Request) -> None:
    await request.answer(200, zlib.compress(PNG), Content_Encoding="deflate")


@route("/bomb.png")
async def _bomb(server: Server, request: Request) -> None:
    await request.answer(200, BOMB, Content_Encoding="gzip")


@route("/brotli.png")
async def _brotli(server: Server, request: Request) -> None:
    await request.answer(200, PNG, Content_Encoding="br")


@route("/gzip-lie.png")
async def _gzip_lie(server: Server, request: Request) -> None:
    await request.answer(200, PNG, Content_Encoding="gzip")


@route("/gzip-cut.png")
async def _gzip_cut(server: Server, request: Request) -> None:
    await request.answer(200, gzip.compress(PNG)[:-200], Content_Encoding="gzip")


@route("/hang.png")
async def _hang(server: Server, request: Request) -> None:
    await asyncio.sleep(60)


@route("/hang-after-head.png")
async def _hang_after_head(server: Server, request: Request) -> None:
    await request.send(head(200, {"Content-Length": str(len(PNG))}), PNG[:100])
    await asyncio.sleep(60)


@route("/hang-in-the-middle.png")
async def _hang_in_the_middle(server: Server, request: Request) -> None:
    await request.send(head(200, {"Content-Length": str(len(PNG))}), PNG[: len(PNG) // 2])
    await asyncio.sleep(60)


@route("/drip.png")
async def _drip(server: Server, request: Request) -> None:
    await request.send(head(200, {"Content-Length": str(len(PNG))}))
    for byte in PNG:
        await request.send(bytes([byte]))
        await asyncio.sleep(0.02)


@route("/drip-head.png")
async def _drip_head(server: Server, request: Request) -> None:
    for byte in head(200, {"Content-Length": str(len(PNG))}):
        await request.send(bytes([byte]))
        await asyncio.sleep(0.5)


@route("/length-too-long.png")
async def _too_long(server: Server, request: Request) -> None:
    await request.send(head(200, {"Content-Length": str(len(PNG) + 1)}), PNG)
    raise Close


@route("/length-too-short.png")
async def _too_short(server: Server, request: Request) -> None:
    await request.send(head(200, {"Content-Length": "100"}), PNG)


@route("/length-huge.png")
async def _huge(server: Server, request: Request) -> None:
    await request.send(head(200, {"Content-Length": str(10**10)}), PNG)
    await asyncio.sleep(60)


@route("/length-twice.png")
async def _twice(server: Server, request: Request) -> None:
    lengths = f"Content-Length: {len(PNG)}\r\nContent-Length: 10\r\n"
    await request.send(f"HTTP/1.1 200 OK\r\n{lengths}\r\n".encode(), PNG)


@route("/length-negative.png")
async def _negative(server: Server, request: Request) -> None:
    await request.send(head(200, {"Content-Length": "-5"}), PNG)


@route("/endless.png")
async def _endless(server: Server, request: Request) -> None:
    await request.send(head(200, {}), PNG)
    while True:
        await request.send(bytes(65536))


@route("/endless-chunks.png")
async def _endless_chunks(server: Server, request: Request) -> None:
    await request.send(head(200, {"Transfer-Encoding": "chunked"}), b"%x\r\n" % len(PNG), PNG, b"\r\n")
    while True:
        await request.send(b"8000\r\n", bytes(0x8000), b"\r\n")


@route("/endless-head.png")
async def _endless_head(server: Server, request: Request) -> None:
    await request.send(b"HTTP/1.1 200 OK\r\n")
    while True:
        await request.send(b"X-More: " + b"x" * 1000 + b"\r\n")


@route("/bad-chunk.png")
async def _bad_chunk(server: Server, request: Request) -> None:
    await request.send(head(200, {"Transfer-Encoding": "chunked"}), b"zz\r\n", PNG)


@route("/chunks-cut.png")
async def _chunks_cut(server: Server, request: Request) -> None:
    await request.send(head(200, {"Transfer-Encoding": "chunked"}), b"%x\r\n" % len(PNG), PNG[:500])
    raise Close


@route("/half.png")
async def _half(server: Server, request: Request) -> None:
    await request.answer(200, PNG[: len(PNG) // 2])


@route("/html.png")
async def _html(server: Server, request: Request) -> None:
    await request.answer(200, HTML, Content_Type="image/png")


@route("/short-html.png")
async def _short_html(server: Server, request: Request) -> None:
    await request.answer(200, b"<html>", Content_Type="image/png")


@route("/json.png")
async def _json(server: Server, request: Request) -> None:
    await request.answer(200, b'{"error": "no such picture, sorry, really, there is nothing here at all"}')


@route("/video.png")
async def _video(server: Server, request: Request) -> None:
    await request.answer(200, b"\0\0\0\x20ftypisom" + bytes(200))


@route("/called-html.html")
async def _called_html(server: Server, request: Request) -> None:
    await request.answer(200, PNG, Content_Type="text/html")


@route("/empty.png")
async def _empty(server: Server, request: Request) -> None:
    await request.answer(200, b"")


@route("/early-hints.png")
async def _early_hints(server: Server, request: Request) -> None:
    await request.send(b"HTTP/1.1 103 Early Hints\r\nLink: <x>\r\n\r\n")
    await request.answer()


@route("/closes.png")
async def _closes(server: Server, request: Request) -> None:
    await request.answer(200, PNG, Connection="keep-alive")
    raise Close


@route("/breaks-off.png")
async def _breaks_off(server: Server, request: Request) -> None:
    raise Close


@route("/status")
async def _status(server: Server, request: Request) -> None:
    status = int(request.path.split("?")[1])
    await request.answer(status, b"" if status in (204, 304) else HTML)


@route("/busy-once.png")
async def _busy_once(server: Server, request: Request) -> None:
    first = server.requests[f"plain{request.path}"] == 1
    await (request.answer(429, HTML, Retry_After="0") if first else request.answer())


@route("/down-once.png")
async def _down_once(server: Server, request: Request) -> None:
    first = server.requests[f"plain{request.path}"] == 1
    await (request.answer(500, HTML) if first else request.answer())


@route("/busy.png")
async def _busy(server: Server, request: Request) -> None:
    await request.answer(429, HTML)


@route("/busy-long.png")
async def _busy_long(server: Server, request: Request) -> None:
    await request.answer(429, HTML, Retry_After="100000")


@route("/busy-date.png")
async def _busy_date(server: Server, request: Request) -> None:
    await request.answer(503, HTML, Retry_After="Fri, 31 Dec 2100 23:59:59 GMT")


@route("/circle-a")
async def _circle_a(server: Server, request: Request) -> None:
    await request.answer(302, b"", Location="/circle-b")


@route("/circle-b")
async def _circle_b(server: Server, request: Request) -> None:
    await request.answer(301, b"", Location="/./x/../circle-a#again")


@route("/steps")
async def _steps(server: Server, request: Request) -> None:
    left = int(request.path.split("?")[1])
    await request.answer(307, b"", Location=f"/steps?{left - 1}" if left > 1 else "picture.png")


@route("/to")
async def _to(server: Server, request: Request) -> None:
    await request.answer(302, b"", Location=urllib.parse.unquote(request.path.split("?", 1)[1]))


@route("/itself")
async def _itself(server: Server, request: Request) -> None:
    await request.answer(302, b"", Location=request.path)


@route("/nowhere")
async def _nowhere(server: Server, request: Request) -> None:
    await request.answer(302, b"")


@route("/tagged.png")
async def _tagged(server: Server, request: Request) -> None:
    await request.answer(200, PNG, X_Robots_Tag=request.path.split("?")[1].replace("_", " "))


@route("/reserved.png")
async def _reserved(server: Server, request: Request) -> None:
    await request.answer(200, PNG, TDM_Reservation=request.path.split("?")[1])


@route("/cookie.png")
async def _cookie(server: Server, request: Request) -> None:
    await request.answer(200, PNG, Set_Cookie="track=1; Path=/")


@route("/etag.png")
async def _etag(server: Server, request: Request) -> None:
    if request.headers.get("if-none-match") == '"v1"':
        await request.answer(304, b"", ETag='"v1"')
    else:
        await request.answer(200, PNG, ETag='"v1"', Last_Modified="Wed, 21 Oct 2015 07:28:00 GMT")


def certificate(folder: Path, name: str, host: str, days: int) -> ssl.SSLContext:
    """A server's context with a certificate that it signed itself; the certificate lies in ``folder/name.pem``."""
    key = ec.generate_private_key(ec.SECP256R1())
    who = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    now = datetime.datetime.now(datetime.UTC)
    try:
        place: x509.GeneralName = x509.IPAddress(ipaddress.ip_address(host))
    except ValueError:
        place = x509.DNSName(host)
    made = (
        x509.CertificateBuilder()
        .subject_name(who)
        .issuer_name(who)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=10))
        .not_valid_after(now + datetime.timedelta(days=days))
        .add_extension(x509.SubjectAlternativeName([place]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    pem = made.public_bytes(serialization.Encoding.PEM)
    secret = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    (folder / f"{name}.pem").write_bytes(pem)
    (folder / f"{name}.key").write_bytes(secret)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder / f"{name}.pem", folder / f"{name}.key")
    return context
