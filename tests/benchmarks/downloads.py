"""Pictures per CPU second of a whole process tree: ours with every check on, bare aiohttp, img2dataset.

    python tests/benchmarks/downloads.py [--pictures 4000] [--img2dataset PYTHON]

A server of its own process on loopback gives JPEGs of 640 x 480 px. *Bare* gets the same URLs with aiohttp, 64 at a
time, and takes their sha256. *Fetcher* is ours to the bytes: canonical URLs, robots.txt, addresses, limits, sniffing.
*Ours* is the whole step of a run: ledger, guarded child, samples/F and downloads/F, without Ray. PYTHON is the
interpreter of another environment with img2dataset, which gets ``--resize_mode no --skip_reencode True`` and 32
threads. Only the client's tree counts. The last line is one JSON object.
"""

from __future__ import annotations

import argparse
import asyncio
import hashlib
import json
import multiprocessing
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import aiohttp
import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))  # run as a file, from anywhere

from configs.pictures import Limits
from pipeline.downloads.config import DownloadsConfig
from pipeline.downloads.fetch import Fetcher
from pipeline.engine import download
from pipeline.sandbox.guard import GuardConfig
from pipeline.sources import UrlsSource
from pipeline.store.commit import rows
from pipeline.store.ledger import FragmentsConfig, fragments, write_ledger
from pipeline.store.run_folder import RunFolder
from tests.pipeline.hostile import encode, picture

AT_ONCE, ROUNDS = 64, 3


def serve(port: multiprocessing.Queue[int]) -> None:
    """A server that costs little: whole responses, made in advance."""
    bodies = [encode(picture(640, 480, seed=n), "JPEG") for n in range(32)]
    head = b'HTTP/1.1 200 OK\r\nContent-Type: image/jpeg\r\nETag: "1"\r\nContent-Length: %d\r\n\r\n'
    responses = [head % len(body) + body for body in bodies]
    print(f"pictures of {np.mean([len(b) for b in bodies]) / 1e3:.1f} KB", flush=True)

    async def one(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while line := await reader.readuntil(b"\r\n\r\n"):
                path = line.split(b" ", 2)[1]
                found = path.startswith(b"/p")
                response = responses[int(path[2:-4]) % 32] if found else b"HTTP/1.1 404 X\r\nContent-Length: 0\r\n\r\n"
                writer.write(response)
        except (asyncio.IncompleteReadError, ConnectionError):
            writer.close()

    async def main() -> None:
        server = await asyncio.start_server(one, "127.0.0.1", 0, backlog=1000)
        port.put(server.sockets[0].getsockname()[1])
        await server.serve_forever()

    asyncio.run(main())


def urls(port: int, count: int) -> list[str]:
    return [f"http://127.0.0.1:{port}/p{n}.jpg" for n in range(count)]


def bare(port: int, count: int, folder: Path) -> int:
    async def main() -> int:
        limit = asyncio.Semaphore(AT_ONCE)
        async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as session:

            async def one(url: str) -> bool:
                async with limit, session.get(url) as response:
                    return bool(hashlib.sha256(await response.read()).hexdigest())

            return sum(await asyncio.gather(*(one(url) for url in urls(port, count))))

    return asyncio.run(main())


def config(port: int) -> DownloadsConfig:
    return DownloadsConfig(allow=(f"127.0.0.1:{port}",), per_host=AT_ONCE, requests_per_s=1e6)


def fetcher(port: int, count: int, folder: Path) -> int:
    async def main() -> int:
        async with Fetcher(config(port), 10**8) as fetching:
            ends = await asyncio.gather(*(fetching.fetch(url) for url in urls(port, count)))
            return sum(bool(hashlib.sha256(end.body).hexdigest()) and end.reason == "ok" for end in ends)

    return asyncio.run(main())


def ours(port: int, count: int, folder: Path) -> int:
    (folder / "list.txt").write_text("\n".join(urls(port, count)))
    source = UrlsSource(kind="urls", name="web", list=str(folder / "list.txt"))
    run = RunFolder(folder / "run")
    write_ledger(run.ledger("web"), "web", source.entries("sources.0", print), FragmentsConfig())
    listed = fragments(run.ledger("web"), "web")
    worker = download.Downloader(run, {"web": source.reader()}, Limits(), GuardConfig(), {"web": source}, config(port))
    for wave in download.waves(listed):
        worker(wave)
    worker.close()
    return sum(rows(run.samples(fragment.name)) for fragment in listed)


def cpu_seconds(work: Callable[[int, int, Path], int], port: int, count: int) -> float:
    """Of ``work`` in a process of its own, its children included."""

    def child(results: multiprocessing.Queue[tuple[int, float]]) -> None:
        with tempfile.TemporaryDirectory() as folder:
            before = _spent()
            found = work(port, count, Path(folder))
            results.put((found, _spent() - before))

    context = multiprocessing.get_context("fork")
    results = context.Queue()
    process = context.Process(target=child, args=(results,))
    process.start()
    found, seconds = results.get()
    process.join()
    assert found == count, f"{found} of {count} pictures"
    return seconds


def _spent() -> float:
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(u.ru_utime + u.ru_stime for u in used)


def img2dataset(python: str, port: int, count: int) -> float:
    """CPU seconds of its command, which starts processes of its own."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "list.txt").write_text("\n".join(urls(port, count)))
        options = (
            "--resize_mode no --skip_reencode True --thread_count 32 --processes_count 1 --output_format webdataset"
        )
        command = [python, "-c", "from img2dataset import main; main()", *options.split()]
        where = ["--url_list", str(folder / "list.txt"), "--output_folder", str(folder / "out")]
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        environment = {k: v for k, v in os.environ.items() if k != "PYTHONPATH"} | {"NO_ALBUMENTATIONS_UPDATE": "1"}
        subprocess.run([*command, *where], check=True, capture_output=True, env=environment)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        stats = [json.loads(path.read_text()) for path in (folder / "out").glob("*_stats.json")]
        assert sum(stat["successes"] for stat in stats) == count, stats
        return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pictures", type=int, default=4000)
    parser.add_argument("--img2dataset", metavar="PYTHON")
    arguments = parser.parse_args()
    ports: multiprocessing.Queue[int] = multiprocessing.Queue()
    server = multiprocessing.Process(target=serve, args=(ports,), daemon=True)
    server.start()
    port, count = ports.get(), arguments.pictures
    best: dict[str, float] = {}
    for _ in range(ROUNDS):
        rates = {work.__name__: count / cpu_seconds(work, port, count) for work in (bare, fetcher, ours)}
        if arguments.img2dataset:
            rates["img2dataset"] = count / img2dataset(arguments.img2dataset, port, count)
        print({name: round(rate) for name, rate in rates.items()}, flush=True)
        best = {name: max(rate, best.get(name, 0.0)) for name, rate in rates.items()}
        time.sleep(1)
    server.terminate()
    print(json.dumps({"pictures_per_cpu_second": {name: round(rate) for name, rate in best.items()}}))


if __name__ == "__main__":
    main()
