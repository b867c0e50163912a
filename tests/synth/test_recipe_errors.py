"""Every wrong recipe ends in one line that names the field or file, before anything is drawn."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from configs.errors import UserError
from synth import Recipe
from tests.synth.common import GLYPHS, PURE, recipe


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("layout.aline=1", "unknown field 'layout.aline'; did you mean align"),
        ("canvases=[]", "canvases must hold at least one entry"),
        ("canvases=[{size: [8, 64]}]", r"canvases\.0: size must be .* found \[8, 64\]"),
        ("canvases=[{size: [40, 40]}]", r"contents\.\d.*does not fit 40x40"),
        ("contents.0.kind=poem", "contents.0"),
        ("contents=[{kind: charset}]", "needs either characters or levels"),
        ("contents=[{kind: charset, characters: AAB}]", "differ from each other"),
        ("contents=[{kind: number, digits: [4, 2]}]", r"digits must be .* found \[4, 2\]"),
        ("contents=[{kind: line, corpus: own}]", r"contents\.0\.corpus: no corpus 'own'"),
        ("contents=[{kind: word, words: [extraordinarily], length: [1, 4]}]", "words: none has a length"),
        ("contents=[{kind: word, length: [40, 50]}]", r"contents\.0 \(word\): .*no item is left"),
        ("contents=[{kind: line, length: [900, 999]}]", r"contents\.0 \(line\): .*length \[900, 999\]"),
        ("colors.text=[mauve]", "text: unknown color 'mauve'; allowed: white, black"),
        ("colors.contrast=22", "contrast must be within 1..21, found 22"),
        ("colors={ground: [gray], text: [light gray]}", "no text color reaches it"),
        ("captions.styles={}", "styles must hold weights"),
        ("captions.styles={fancy: 1}", "captions.styles"),
        ("layout.size=[50, 40]", r"size must be \[low, high\]"),
        ("layout.line_spacing=[0.8, 1.2]", "lines overlap"),
        ("fonts.0.weight=0", "weight must be above 0"),
        ("fonts=[{file: qt/fonts, package: cv2, languages: [en, other]}]", "fonts: none is for language 'zh'"),
        ("name=a b", "name must be of letters, digits"),
        ("seed=-1", "seed must be at least 0"),
    ],
)
def test_a_wrong_field_is_one_line_naming_it(override: str, message: str) -> None:
    with pytest.raises(UserError, match=message) as caught:
        Recipe.load(PURE, [override])
    assert str(caught.value).startswith(f"config {PURE}")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("content", "message"),
    [(b"\xff\xfe\x00bad", "is not UTF-8: byte 0 is 0xff"), (b" \n\n", "holds no text"), (None, "No such file")],
)
def test_a_corpus_that_cannot_be_used_is_named(tmp_path: Path, content: bytes | None, message: str) -> None:
    path = tmp_path / "corpus.txt"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(UserError, match=rf"corpora\.0\.file: .*corpus\.txt .*{message}"):
        Recipe.load(PURE, [f"corpora=[{{name: own, file: '{path}'}}]"])


def test_a_column_of_texts_that_are_no_utf8_is_named(tmp_path: Path) -> None:
    texts = pa.array([b"fine", "红色".encode("gb18030")], pa.binary()).view(pa.string())
    pq.write_table(pa.table({"text": texts}), tmp_path / "own.parquet")
    with pytest.raises(UserError, match=r"corpora\.0\.file: column 'text' of .*own\.parquet is not UTF-8: it holds '"):
        Recipe.load(PURE, [f"corpora=[{{name: own, file: '{tmp_path / 'own.parquet'}', column: text}}]"])


def test_a_negative_index_is_refused() -> None:
    with pytest.raises(UserError, match="index must be at least 0, found -1"):
        recipe(GLYPHS).render(-1)


def test_a_recipe_file_that_is_missing_is_named() -> None:
    with pytest.raises(UserError, match=r"configs/synth/none\.yaml: cannot be read"):
        Recipe.load("configs/synth/none.yaml")
