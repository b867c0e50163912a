"""Texts from a user's files and from packages: columns, cleaning, balance, rare characters, both languages in a line."""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from configs.errors import UserError
from synth import Recipe
from synth.__main__ import main
from synth.content.rare import dictionary
from synth.corpus.builtin import levels_characters
from synth.corpus.corpus import Corpus, CorpusSource
from synth.corpus.traditional import to_traditional
from synth.coverage import plot, rows
from synth.fonts.source import FontSource, find
from synth.language import language_of
from synth.typeset.shaped import Shaped
from tests.synth.common import PURE, SHIPPED, recipe
from tests.synth.content.test_kinds import only
from tests.tolerance import counting


def corpus(path: Path, **settings: object) -> Corpus:
    return Corpus(CorpusSource("own", str(path), **settings), "corpora.0")  # type: ignore[arg-type]


def texts(override: str, count: int) -> list[str]:
    made = recipe(PURE, override)
    return [made.text(index)[0].replace("\n", "") for index in range(count)]


def test_a_parquet_column_is_a_corpus(tmp_path: Path) -> None:
    path = tmp_path / "texts.parquet"
    columns = {"title": ["One", None, "Two\nThree"], "size": [1, 2, 3], "tags": [["a"], [], None]}
    pq.write_table(pa.table(columns), path)
    assert corpus(path, column="title").paragraphs == ["One", "Two", "Three"]
    with pytest.raises(UserError, match=r"corpora\.0\.column: .* has no column 'text'; it has title, size, tags"):
        corpus(path, column="text")
    for name, kind in (("size", "int64"), ("tags", "list")):
        with pytest.raises(UserError, match=rf"corpora\.0\.column: '{name}' of .* must hold text, found {kind}"):
            corpus(path, column=name)
    damaged = tmp_path / "damaged.parquet"
    damaged.write_bytes(path.read_bytes()[:200])
    with pytest.raises(UserError, match=r"corpora\.0\.file: .* is not a Parquet file that can be read"):
        corpus(damaged, column="title")


def test_what_a_corpus_lost_is_counted_and_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "own.txt"
    path.write_text("A plain line.\n\nمرحبا بالعالم\nemoji 😀 here\n😀\nzero\u200bwidth\n", "utf-8")
    own = corpus(path)
    assert own.paragraphs == ["A plain line.", "emoji here", "zerowidth"]
    assert own.account == {
        "paragraphs": 5,
        "refused: right-to-left": 1,
        "cleaned: emoji": 2,
        "refused: nothing left": 1,
        "cleaned: zero-width or bidi mark": 1,
    }
    sets = ["--set", only("kind: sentence, corpus: own"), "--set", f"corpora=[{{name: own, file: '{path}'}}]"]
    main(["coverage", PURE, "--count", "5", *sets])
    assert "corpus own: of 5 paragraphs (refused: right-to-left 1, cleaned: emoji 2" in capsys.readouterr().out


def test_a_corpus_of_nothing_but_emoji_says_why(tmp_path: Path) -> None:
    path = tmp_path / "own.txt"
    path.write_text("😀\n🎉🎉\n", "utf-8")
    with pytest.raises(
        UserError, match=r"corpora\.0\.file: .* holds no text \(cleaned: emoji 2, refused: nothing left 2\)"
    ):
        corpus(path)


def test_rare_characters_bring_their_texts_forward(tmp_path: Path) -> None:
    path = tmp_path / "own.txt"
    path.write_text("天地人和。\n" * 99 + "龘靐齉爩。\n", "utf-8")
    rng = np.random.default_rng(0)

    def rare(balance: float) -> float:
        own = corpus(path, balance=balance)
        return sum("龘" in own.pick("line", (1, 20), rng) for _ in range(2000)) / 2000

    assert rare(0.0) == pytest.approx(0.01, abs=counting(0.01, 2000))
    assert rare(0.5) == pytest.approx(
        10 / 109, abs=counting(10 / 109, 2000)
    )  # the root of 99 times rarer weighs about ten times
    assert rare(1.0) == pytest.approx(0.5, abs=counting(0.5, 2000))


def test_every_character_comes_equally_often_in_words(tmp_path: Path) -> None:
    everyone = set(levels_characters((1, 2, 3)))
    drawn = texts(only("kind: balanced, words: [1, 1]"), len(everyone))
    assert everyone <= set("".join(drawn))
    words = {word for options in dictionary().values() for word in options}
    assert sum(text in words for text in drawn) == len(dictionary()) > 6000
    longest = max(len(text) for text in texts(only("kind: balanced, words: [3, 4]"), 50))
    assert 10 <= longest <= 19


@pytest.mark.parametrize("kind", ["mixed", "balanced", "contact"])
def test_texts_of_packages_are_functions_of_the_index(kind: str) -> None:
    override = only(f"kind: {kind}")
    forward = [recipe(PURE, override).text(index)[0] for index in range(40)]
    fresh = Recipe.load(PURE, [override])
    assert [fresh.text(index)[0] for index in reversed(range(40))] == forward[::-1]
    assert len(set(forward)) > 30


def test_mixed_lines_hold_both_scripts() -> None:
    drawn = texts(only("kind: mixed"), 200)
    both = [t for t in drawn if any(c.isascii() and c.isalpha() for c in t) and any("一" <= c <= "鿿" for c in t)]
    assert len(both) > 170
    samples = [recipe(PURE, only("kind: mixed")).render(i) for i in range(40)]
    assert {sample.text_language for sample in samples} == {"zh", "en"}
    assert all(sample.text_language == language_of(sample.text) for sample in samples)


def test_postal_codes_are_those_of_their_state() -> None:
    first_digits = {"AZ": "8", "TX": "78", "NY": "01", "CA": "9", "FL": "3", "MA": "0", "IL": "6", "WA": "9"}
    addresses = texts(
        only("kind: contact, forms: {address: 1}, languages: {en: 1}, canvases: [{size: [1200, 300]}]"), 120
    )
    found = [re.search(r", ([A-Z]{2}) (\d)\d{4}$", text) for text in addresses]
    assert all(found)
    known = [(match[1], match[2]) for match in found if match and match[1] in first_digits]
    assert len(known) > 8
    assert all(digit in first_digits[state] for state, digit in known)


def test_chinese_addresses_have_districts_and_codes_of_their_city() -> None:
    known = {
        "四川省成都市": ("61", "锦江 青羊 武侯"),
        "北京市": ("100", "东城 西城 海淀 朝阳"),
        "宁夏回族自治区银川市": ("75", "兴庆 金凤 西夏"),
        "广东省广州市": ("51", "越秀 海珠 天河"),
        "湖北省武汉市": ("43", "江岸 武昌 洪山"),
        "上海市": ("200", "黄浦 徐汇 静安 虹口"),
    }
    seen = set()
    for text in texts(
        only("kind: contact, forms: {address: 1}, languages: {zh: 1}, canvases: [{size: [1200, 300]}]"), 60
    ):
        found = re.fullmatch(r"(\w+?市)(\w{2,3}?)区\w+路\d+号(\d+号楼\d+室)? (\d{6})", text)
        assert found, text
        seen.add(found[1])
        if found[1] in known:
            code, districts = known[found[1]]
            assert found[4].startswith(code), text
            assert found[2] in districts.split(), text
    assert len(seen) > 12


def test_contacts_come_in_all_forms_and_name_their_package() -> None:
    drawn = texts(only("kind: contact"), 150)
    assert any("@example." in t for t in drawn)
    assert any(t.startswith("http") for t in drawn)
    assert any(t.replace("-", "").isdigit() for t in drawn)
    assert any("公司" in t for t in drawn)
    sample = recipe(PURE, only("kind: contact")).render(0)
    assert sample.license == "MIT"
    assert sample.parents[-1].startswith("corpus:Faker@")


def test_traditional_characters_come_in_the_share_that_is_asked() -> None:
    simplified = texts(only("kind: sentence, languages: {zh: 1}"), 120)
    third = texts(only("kind: sentence, languages: {zh: 1}, traditional: 0.3"), 120)
    assert not any("國" in t or "門" in t or "請" in t or "來" in t for t in simplified)
    only_traditional = set("國門請來個為爲這們過開時後說畫書樂點車間歲愛")
    assert 12 <= sum(bool(only_traditional & set(t)) for t in third) <= 45
    page = only("kind: page, languages: {zh: 1}, traditional: 1")
    assert any(only_traditional & set(text) for text in texts(page, 5))
    assert not any(only_traditional & set(t) for t in texts(only("kind: line, languages: {en: 1}, traditional: 1"), 5))


def test_coverage_counts_by_level_and_draws_the_tail(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "tail.svg"
    main(["coverage", PURE, "--count", "300", "--plot", str(out), "--set", only("kind: charset, levels: [2]")])
    told = " ".join(capsys.readouterr().out.split())
    assert "2 3,000 300 10.0% 0 0 1" in told
    assert "300 texts of recipe plain: 300 of 8,105 characters; 300 occurrences" in told
    assert "level 2: 300 of 3,000 drawn" in out.read_text("utf-8")
    with pytest.raises(UserError, match=r"--plot: expected a name ending in \.svg"):
        main(["coverage", PURE, "--count", "1", "--plot", str(tmp_path / "tail.bmp")])


def test_rows_and_plot_of_nothing() -> None:
    tables = {1: ["一", "二"], 2: ["丁"]}
    assert [(r.seen, r.min_count, r.max_count) for r in rows(Counter("一一"), tables)] == [(1, 0, 2), (0, 0, 0)]
    assert plot(Counter(), tables, "none").count("0 of") == 2


def test_the_shipped_recipe_reaches_every_character() -> None:
    """Each closed set is walked in whole rounds: the contents that hold all 8,105 stroke_margin them after one round."""
    made = recipe(SHIPPED)
    walks = {c.kind for c in made.config.contents if set(getattr(c, "levels", ())) == {1, 2, 3}}
    assert walks == {"charset", "balanced"}


@pytest.mark.parametrize(
    ("simplified", "taiwan", "hong_kong"),
    [
        ("造纸术被发明", "造紙術被發明", "造紙術被發明"),
        ("理发店里的面包", "理髮店裡的麵包", "理髮店裏的麪包"),
        ("他说：“皇后在后面。”", "他說：「皇后在後面。」", "他説：「皇后在後面。」"),
        ("用“Open Day”和it’s的‘书’", "用“Open Day”和it’s的『書』", "用“Open Day”和it’s的『書』"),
    ],
)
def test_traditional_is_chosen_by_word_and_region_with_its_own_quotes(
    simplified: str, taiwan: str, hong_kong: str
) -> None:
    assert to_traditional(simplified, "zh-Hant-TW") == taiwan
    assert to_traditional(simplified, "zh-Hant-HK") == hong_kong


def test_traditional_text_takes_the_forms_of_its_region() -> None:
    font = recipe(SHIPPED).fonts[0]
    face = font.face(400)
    simplified, taiwan, hong_kong = (
        [g.id for g in Shaped(face, "骨直次角", tag).glyphs[0]] for tag in ("zh", "zh-Hant-TW", "zh-Hant-HK")
    )
    assert len({tuple(ids) for ids in (simplified, taiwan, hong_kong)}) == 3
    assert font.writes("zh-Hant-TW")
    mainland = find([FontSource("NotoSerifSC-Regular.otf", package="pylopdf_fonts_zh_cn")])[0]
    assert (mainland.writes("zh"), mainland.writes("zh-Hant-HK")) == (True, False)
