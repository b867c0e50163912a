"""Readers: a server's answers, and what becomes of one that fails or dies."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from configs import RunFailed, UserError
from tests.pipeline.captioner.server import serving
from trainer.evaluate.config import Server
from trainer.evaluate.reading.readers import ReaderSpec, Seen
from trainer.evaluate.reading.readings import Readings, ToRead

PICTURE = np.zeros((32, 48, 3), np.uint8)


def test_a_servers_answer_is_read_line_by_line():
    with serving() as server:
        server.script = ["Open late\n\n  Fresh tea ", 413]
        spec = ReaderSpec(server.url, Server(timeout_s=5, connections=1))
        found = spec.open().read([PICTURE, PICTURE], one_line=False)
    assert found[0] == Seen(("Open late", "Fresh tea"))
    assert found[1].lines is None
    assert "413" in found[1].fault


def test_a_server_that_dies_ends_it_in_one_line():
    with serving() as server:
        server.script = [401]
        spec = ReaderSpec(server.url, Server(timeout_s=5))
        with pytest.raises(RunFailed, match=r"^reader: http.*401.*kept; the same command goes on$") as error:
            spec.open().read([PICTURE], one_line=False)
    assert "fragment" not in str(error.value)


@pytest.mark.parametrize("where", ["tesseract", "localhost:8000"])
def test_what_is_no_reader_is_refused(where):
    with pytest.raises(UserError, match=r"--reader: .*paddle, or the URL"):
        ReaderSpec(where, Server()).check()


class Scripted:
    """Reads what it is told to, and remembers how often it was asked."""

    key = "scripted"

    def __init__(self, seen: list[Seen]) -> None:
        self.seen, self.asked = seen, 0

    def open(self) -> "Scripted":
        return self

    def read(self, pictures, one_line):
        self.asked += len(pictures)
        return [self.seen.pop(0) for _ in pictures]


def pictures(folder: Path, count: int) -> list[ToRead]:
    folder.mkdir(exist_ok=True)
    for number in range(count):
        Image.fromarray(PICTURE + number).save(folder / f"{number}.png")
    return [ToRead(folder / f"{number}.png", None, False) for number in range(count)]


def test_what_was_read_is_kept_and_what_failed_is_tried_again(tmp_path):
    jobs, kept = pictures(tmp_path / "p", 3), tmp_path / "readings.jsonl"
    first = Scripted([Seen(("a",)), Seen(None, "broke"), Seen(())])
    assert Readings(kept, first, 1).read(jobs, "x") == [Seen(("a",)), Seen(None, "broke"), Seen(())]
    again = Scripted([Seen(("b",))])
    assert Readings(kept, again, 1).read(jobs, "x") == [Seen(("a",)), Seen(("b",)), Seen(())]
    assert again.asked == 1


def test_half_a_line_of_a_killed_process_costs_one_reading(tmp_path):
    jobs, kept = pictures(tmp_path / "p", 2), tmp_path / "readings.jsonl"
    Readings(kept, Scripted([Seen(("a",)), Seen(("b",))]), 1).read(jobs, "x")
    kept.write_text(kept.read_text()[:-10])
    assert Readings(kept, Scripted([Seen(("c",))]), 1).read(jobs, "x") == [Seen(("a",)), Seen(("c",))]
    nobody = Scripted([])
    assert Readings(kept, nobody, 1).read(jobs, "x") == [Seen(("a",)), Seen(("c",))]


def test_other_pixels_or_another_part_are_read_anew(tmp_path):
    (job,) = pictures(tmp_path / "p", 1)
    reader = Scripted([Seen(("a",)), Seen(("part",)), Seen(("b",))])
    readings = Readings(tmp_path / "readings.jsonl", reader, 1)
    assert readings.read([job, ToRead(job.path, (0, 0, 8, 8), False)], "x") == [Seen(("a",)), Seen(("part",))]
    Image.fromarray(PICTURE + 9).save(job.path)
    assert readings.read([job], "x") == [Seen(("b",))]


def test_a_reader_that_fails_on_everything_is_given_up(tmp_path):
    reader = Scripted([Seen(None, "no memory")] * 16)
    with pytest.raises(RunFailed, match="reader: cannot read any picture: no memory"):
        Readings(tmp_path / "readings.jsonl", reader, 1).read(pictures(tmp_path / "p", 9), "x")
