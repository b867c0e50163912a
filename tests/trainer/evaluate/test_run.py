"""The command from end to end: pictures made elsewhere, a tiny model that draws, what is kept and what is refused."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

import configs
from configs import RunFailed, UserError
from model.files import iterate_tensors, write_tensors
from pipeline.ocr.lines import normalize
from pipeline.report.evaluation import read_suites
from tests.model.folders import edit_folder
from tests.shared import Shared
from trainer.evaluate.config import EvaluateConfig
from trainer.evaluate.run import Asked, evaluate
from trainer.evaluate.suites.registry import open_suites

PROMPTS = [
    {"prompt_id": 0, "prompt": "a sign", "text": ["Open late", "Fresh tea every day"]},
    {"prompt_id": 1, "prompt": "标签", "text": ["今日特价", "全场八折"]},
    {"prompt_id": 2, "prompt": "a card", "text": ["not drawn"]},
]
RECIPE = """
name: two
fonts: [{package: manimgx_fonts_cjk, file: NotoSansCJK-VF.otf.ttc, face: 2, wght: [700, 900]}]
canvases: [{size: [64, 64]}]
captions: {styles: {short: 1}}
contents: [{kind: charset, characters: 国B}]
"""
EDITS = """
name: edits
strategy: {kind: edit, operations: {replace: 1, remove: 1, background: 1, reconstruct: 1}}
fonts: [{package: manimgx_fonts_cjk, file: NotoSansCJK-VF.otf.ttc, face: 2, wght: [700, 900]}]
canvases: [{size: [128, 128]}]
contents: [{kind: word, length: [2, 6]}]
"""


def prompts_file(folder: Path) -> Path:
    path = folder / "text_prompts.jsonl"
    path.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in PROMPTS), "utf-8")
    return path


def clean_pictures(folder: Path, config: EvaluateConfig) -> Path:
    (suite,) = open_suites(["long_text"], config)
    items = suite.items()[:2]
    folder.mkdir()
    for item, clean in zip(items, suite.clean(items), strict=True):
        Image.fromarray(clean.picture).save(folder / f"{item.id}-0.png")
    return folder


@pytest.fixture(scope="module")
def elsewhere(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Asked, EvaluateConfig]:
    """OUT of an evaluation of clean renderings and one empty picture, a stray file, a broken one."""
    root = tmp_path_factory.mktemp("elsewhere")
    config = EvaluateConfig(prompts={"long_text": str(prompts_file(root))}, size=(256, 256), damaged=2)
    folder = clean_pictures(root / "pictures", config)
    Image.new("RGB", (256, 256), "white").save(folder / "0-1.png")
    Image.new("RGB", (16, 16)).save(folder / "cat.png")
    (folder / "2-0.png").write_bytes(b"no picture")
    asked = Asked(None, ("long_text",), pictures=folder)
    evaluate(asked, root / "out", config)
    return root / "out", asked, config


def test_clean_renderings_score_what_the_reader_scores_on_them(elsewhere):
    suite = json.loads((elsewhere[0] / "evaluation.json").read_text("utf-8"))["suites"]["long_text"]
    assert suite["count"] == 3
    assert suite["ceiling"]["overlap"] == suite["reader_ceiling"] == 1.0
    # 6 + 8 units were asked for, and 6 once more of an empty picture
    assert suite["score"] == pytest.approx(14 / 20)
    assert suite["groups"]["zh"]["score"] == 1.0
    assert suite["precision"] == 1.0
    assert suite["standard_error"] > 0
    assert 0 <= suite["damaged_accepted"] <= 1
    assert suite["damaged_shown"] == 2
    assert (suite["missing"], suite["extra"], suite["broken"]) == (1, 1, 1)
    assert [row["metrics"]["overlap"] for row in suite["items"]] == [1.0, 0.0, 1.0]
    assert suite["items"][0]["after"].split() == ["Open", "late", "Fresh", "tea", "every", "day"]


def test_a_table_and_a_page_are_left(elsewhere):
    out = elsewhere[0]
    table = (out / "table.md").read_text("utf-8")
    assert "| long_text | 3 | overlap | 0.7000 |" in table
    assert "long_text: 1 missing, 1 extra, 1 broken" in table
    page = (out / "evaluation.html").read_text("utf-8")
    assert "data:image/png;base64," in page
    assert "http://" not in page
    assert json.loads((out / "long_text" / "prompts.jsonl").read_text("utf-8").splitlines()[2])["id"] == "2"


def test_again_nothing_is_read_again(elsewhere, capsys):
    out, asked, config = elsewhere
    before = (out / "evaluation.json").read_text("utf-8")
    evaluate(asked, out, config)
    assert "read long_text" not in capsys.readouterr().out
    assert (out / "evaluation.json").read_text("utf-8") == before


def small(tmp: Path) -> EvaluateConfig:
    recipe = tmp / "two.yaml"
    recipe.write_text(RECIPE, "utf-8")
    (tmp / "edits.yaml").write_text(EDITS, "utf-8")
    edit = f"edit={{count: 1, reference_area: 4096, vision_area: 3136, recipe: {tmp / 'edits.yaml'}}}"
    settings = [edit, f"vae={{photographs: 2, pages: 1, size: 64, recipe: {recipe}}}"]
    settings += [f"recipe={recipe}", "steps=1", "cfg=1.0", "damaged=2", "untrained=true", "per_prompt=1"]
    return configs.load("configs/train/evaluate.yaml", EvaluateConfig, settings)


@pytest.fixture(scope="module")
def drawn(shared: Shared, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Asked, EvaluateConfig]:
    """OUT of an evaluation of a tiny model that edits."""
    config = small(tmp_path_factory.mktemp("recipe"))
    out = tmp_path_factory.mktemp("drawn") / "out"
    asked = Asked(edit_folder(), ("glyphs", "vae", "edit"), device="cpu")
    evaluate(asked, out, config)
    return out, asked, config


def test_every_suite_says_what_the_issue_of_a_report_needs(drawn):
    suites = json.loads((drawn[0] / "evaluation.json").read_text("utf-8"))["suites"]
    assert list(suites) == ["glyphs", "vae", "edit"]
    needed = {"count", "score", "reader_ceiling", "precision", "damaged_accepted", "standard_error", "items"}
    assert all(needed <= suite.keys() for suite in suites.values())
    assert suites["glyphs"]["ceiling"]["exact"] == 1.0
    assert suites["glyphs"]["before"]["count"] == suites["glyphs"]["after"]["count"] == 2
    assert [row["ceiling"] for row in suites["glyphs"]["items"]] == ["B", "国"]


def test_the_vae_is_compared_on_photographs_and_pages(drawn):
    suite = json.loads((drawn[0] / "evaluation.json").read_text("utf-8"))["suites"]["vae"]
    assert {name: group["count"] for name, group in suite["groups"].items()} == {"photographs": 2, "pages": 1}
    assert 3 < suite["after"]["psnr"] < 30
    assert -1 < suite["after"]["ssim"] < 1
    made = np.asarray(Image.open(drawn[0] / "vae" / "pictures" / "page-0-0.png"))
    given = np.asarray(Image.open(drawn[0] / "vae" / "inputs" / "page-0-0.png"))
    assert made.shape == given.shape
    assert not np.array_equal(made, given)


def test_edits_are_read_where_they_are_and_compared_elsewhere(drawn):
    suite = json.loads((drawn[0] / "evaluation.json").read_text("utf-8"))["suites"]["edit"]
    assert len(suite["groups"]) == suite["count"] == 4
    assert suite["reader_ceiling"] > 0.8
    assert suite["groups"]["replace"]["psnr_outside"] < 30
    removed = next(row for row in suite["items"] if row["group"] == "remove")
    assert normalize(removed["text"]) == removed["ceiling"] == ""


def test_the_training_report_reads_it(drawn):
    train = drawn[0].parent
    shutil.copytree(drawn[0], train / "evaluation", dirs_exist_ok=True)
    glyphs = read_suites(train)[0]
    assert glyphs.exact == [0.0, 0.0, 1.0]
    assert glyphs.sheet is not None


def test_only_what_is_gone_is_drawn_again(drawn, capsys):
    out, asked, config = drawn
    before = (out / "glyphs" / "pictures" / "0-0.png").read_bytes()
    (out / "glyphs" / "pictures" / "0-0.png").unlink()
    (out / "glyphs" / "pictures" / "1-0.png").write_bytes(b"half")
    evaluate(Asked(asked.checkpoint, ("glyphs",), device="cpu"), out, config)
    told = capsys.readouterr().out
    assert "draw glyphs, pictures: 2 pictures" in told
    assert "draw glyphs, before" not in told
    assert (out / "glyphs" / "pictures" / "0-0.png").read_bytes() == before


def test_a_model_that_draws_no_numbers_is_one_line(tmp_path):
    folder = tmp_path / "model"
    shutil.copytree(edit_folder(), folder)
    (file,) = (folder / "transformer").glob("*.safetensors")
    tensors = dict(iterate_tensors(folder / "transformer"))
    tensors["proj_out.weight"] = torch.full_like(tensors["proj_out.weight"], torch.nan)
    write_tensors(file, tensors, {"format": "pt"})
    with pytest.raises(RunFailed, match="glyphs, pictures: the model draws only numbers that are not finite"):
        evaluate(Asked(folder, ("glyphs",), device="cpu"), tmp_path / "out", small(tmp_path))


@pytest.mark.parametrize(
    ("asked", "message"),
    [
        (Asked(None, ("dense",)), "CKPT is '-', so the pictures"),
        (Asked(None, ("loss",), pictures=Path("x")), "suite loss: is measured on a model"),
        (Asked(Path("/nowhere"), ("glyphs",)), "/nowhere: holds no model; give a diffusers folder"),
        (Asked(Path("x"), ("glyphs",), dtype="int8"), "--dtype: 'int8'"),
        (Asked(Path("x"), ("glyphs",), device="tpu9"), "--device: 'tpu9'"),
        (Asked(Path("x"), ("poems",)), "unknown suite 'poems'"),
    ],
)
def test_what_cannot_be_done_is_refused_before_any_work(tmp_path, asked, message):
    with pytest.raises(UserError, match=message):
        evaluate(asked, tmp_path / "out", small(tmp_path))


@pytest.mark.parametrize(
    ("suite", "fields", "message"),
    [
        ("loss", {}, "suite loss: .* has no config of a training"),
        ("cvtg", {"clip": "/nowhere"}, "field 'clip'"),
    ],
)
def test_what_a_suite_needs_at_its_end_is_missed_before_any_picture_is_drawn(tmp_path, suite, fields, message):
    prompts = tmp_path / "3.json"
    prompts.write_text(json.dumps({"data_list": [{"index": 0, "prompt": "A sign 'open'"}]}))
    config = replace(small(tmp_path), prompts={"cvtg": str(prompts)}, **fields)
    with pytest.raises(UserError, match=message):
        evaluate(Asked(edit_folder(), ("glyphs", suite), device="cpu"), tmp_path / "out", config)
    assert not list((tmp_path / "out").rglob("*.png"))
