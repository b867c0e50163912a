from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from configs.storage.cache import RangeCache

FILL = """
import sys
from pathlib import Path
from configs.storage.cache import RangeCache
cache = RangeCache(Path(sys.argv[1]), 100_000)
for i in range(100):
    cache.put(f"{sys.argv[2]} {i % 60}", bytes([i]) * 1000)
    found = cache.get(f"{sys.argv[2]} {i % 60}", 1000)
    assert found is None or len(set(found)) == 1
"""


def held(folder: Path) -> int:
    return sum(p.stat().st_size for p in folder.glob("??/*"))


def test_what_was_put_is_found_and_the_least_used_goes(tmp_path: Path) -> None:
    cache = RangeCache(tmp_path, 10_500)
    for i in range(10):
        cache.put(str(i), bytes([i]) * 1000)
        os.utime(cache._path(str(i)), (i, i))
    assert [i for i in range(10) if cache.get(str(i), 1000) == bytes([i]) * 1000] == list(range(10))
    for i in range(10):
        os.utime(cache._path(str(i)), (i, i))
    assert cache.get("0", 1000), "used now"
    cache.put("new", b"x" * 1000)
    assert cache.get("0", 1000)
    assert cache.get("new", 1000) == b"x" * 1000
    assert cache.get("1", 1000) is None
    assert held(tmp_path) <= 10_500
    assert int((tmp_path / "usage").read_text()) == held(tmp_path)


def test_a_damaged_or_incomplete_file_is_noticed(tmp_path: Path) -> None:
    cache = RangeCache(tmp_path, 100_000)
    for damage in (lambda data: data[:-1], lambda data: b"y" + data[1:], lambda data: b"", lambda data: data + b"z"):
        cache.put("x", b"content")
        path = cache._path("x")
        path.write_bytes(damage(path.read_bytes()))
        assert cache.get("x", 7) is None
        assert not path.exists()


def test_several_processes_keep_the_bound_together(tmp_path: Path) -> None:
    command = [sys.executable, "-c", FILL, str(tmp_path)]
    processes = [subprocess.Popen([*command, name]) for name in "ab"]
    assert [process.wait(timeout=120) for process in processes] == [0, 0]
    assert 0 < held(tmp_path) <= 100_000
    assert int((tmp_path / "usage").read_text()) == held(tmp_path)


def test_a_cache_that_cannot_be_written_is_done_without(tmp_path: Path, capsys) -> None:  # type: ignore[no-untyped-def]
    (tmp_path / "file").write_text("no folder")
    cache = RangeCache(tmp_path / "file", 1000)
    for _ in range(2):
        cache.put("x", b"1")
    assert cache.get("x", 1) is None
    assert capsys.readouterr().out.count("going on without") == 1


def test_what_is_too_large_for_it_is_not_kept(tmp_path: Path) -> None:
    cache = RangeCache(tmp_path, 1000)
    cache.put("x", b"1" * 500)
    assert cache.get("x", 500) is None
