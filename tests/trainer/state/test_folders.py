"""Names of checkpoints, which of them count, which stay."""

from __future__ import annotations

from pathlib import Path

import pytest
from PIL import Image

from configs import RunFailed
from model.complete import damage, mark_complete, note_checksum
from model.export import step_folder
from trainer.monitor.samples import sheet
from trainer.state.folders import checkpoints, keep, read_best, remove_unfinished, step_of, write_best


def checkpoint(out: Path, name: str, complete: bool = True) -> Path:
    folder = out / "checkpoints" / name
    folder.mkdir(parents=True)
    (folder / "base.json").write_text("{}")
    if complete:
        mark_complete(folder, step_of(folder))
    return folder


def test_steps_are_numbers_whatever_they_are_padded_with(tmp_path: Path) -> None:
    for name in ("step-999999", "step-1000000", "step-000900", "step-20"):
        checkpoint(tmp_path, name)
    assert [p.name for p in checkpoints(tmp_path)] == ["step-20", "step-000900", "step-999999", "step-1000000"]
    assert step_folder(tmp_path).name == "step-1000000"
    keep(tmp_path, 2)
    assert [p.name for p in checkpoints(tmp_path)] == ["step-999999", "step-1000000"]


def test_the_best_one_stays(tmp_path: Path) -> None:
    for step in (5, 10, 15, 20):
        checkpoint(tmp_path, f"step-{step}")
    write_best(tmp_path, 5, "loss", 0.25)
    keep(tmp_path, 1)
    assert [p.name for p in checkpoints(tmp_path)] == ["step-5", "step-20"]


def test_without_its_marker_there_is_no_checkpoint_and_it_goes(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    checkpoint(tmp_path, "step-5")
    half = checkpoint(tmp_path, "step-10", complete=False)
    (tmp_path / "checkpoints" / ".step-15.abc.tmp").mkdir()
    assert [p.name for p in checkpoints(tmp_path)] == ["step-5"]
    assert step_folder(tmp_path).name == "step-5"
    remove_unfinished(tmp_path)
    assert capsys.readouterr().out == f"{half}: was not finished ('complete' is not there) and is removed\n"
    assert not half.exists()
    assert [p.name for p in (tmp_path / "checkpoints").iterdir()] == ["step-5"]


def test_damage_that_keeps_the_size_is_found_by_whoever_reads_that_part(tmp_path: Path) -> None:
    folder = checkpoint(tmp_path, "step-5", complete=False)
    for name in ("__0_0.distcp", "__1_0.distcp"):
        (folder / name).write_bytes(b"weights")
        note_checksum(folder / name)
    mark_complete(folder, 5)
    assert {p.name for p in folder.iterdir()} == {"base.json", "complete", "__0_0.distcp", "__1_0.distcp"}
    (folder / "__1_0.distcp").write_bytes(b"weigHts")
    told = [damage(folder, rank, 2) for rank in range(2)]
    assert told.count(None) == 1
    assert [why for why in told if why] == [damage(folder)]
    assert str(damage(folder)).startswith("__1_0.distcp is damaged (checksum")


@pytest.mark.parametrize("files", ["[1, 2]", '{"base.json": "x"}', '{"base.json": null}', "7"])
def test_a_marker_that_says_something_else_is_damage(tmp_path: Path, files: str) -> None:
    folder = checkpoint(tmp_path, "step-5")
    (folder / "complete").write_text(f'{{"step": 5, "files": {files}}}')
    assert damage(folder) == "complete cannot be read"


def test_damage_is_named(tmp_path: Path) -> None:
    folder = checkpoint(tmp_path, "step-5")
    assert damage(folder) is None
    (folder / "base.json").write_text("{} longer")
    assert damage(folder) == "base.json has 9 bytes, 2 were written"
    (folder / "base.json").unlink()
    assert damage(folder) == "base.json is missing"
    (folder / "complete").write_text("{")
    assert damage(folder) == "complete cannot be read"


def test_sample_sheets_are_in_order_of_steps(tmp_path: Path) -> None:
    for step, color in ((999999, "red"), (1000000, "blue"), (20, "white")):
        Image.new("RGB", (8, 8), color).save(tmp_path / f"step-{step}.png")
    shown = sheet(tmp_path)
    middle = [shown.getpixel((shown.width - 8, shown.height * part // 6)) for part in (1, 3, 5)]
    assert middle == [(255, 255, 255), (255, 0, 0), (0, 0, 255)]


@pytest.mark.parametrize("text", ["[]", "{}", '{"step": 5', '"best"', '{"step": "5", "metric": "loss", "value": 1}',
                                  '{"step": 5, "metric": "loss", "value": NaN}', "[" * 9999])  # fmt: skip
def test_a_damaged_note_of_the_best_one_is_one_line(tmp_path: Path, text: str) -> None:
    checkpoint(tmp_path, "step-5")
    (tmp_path / "checkpoints" / "best.json").write_text(text)
    with pytest.raises(RunFailed, match=r"best\.json: is damaged; delete it and repeat the command"):
        read_best(tmp_path)
