"""CONTRIBUTING.md, "A kind of content", followed to the letter: texts of one's own, rendered by Ray's workers."""

from __future__ import annotations

import re
from pathlib import Path

from tests.recipes.conftest import CONTENT
from tests.recipes.contributing import block
from tests.recipes.synthesis import render, rows_of, write


def test_a_content_of_ones_own_is_what_the_pictures_say(own_recipes: Path) -> None:
    rows = rows_of(own_recipes, "plates")
    assert len({row["text"] for row in rows}) == len(rows)
    for row in rows:
        assert re.fullmatch(r"[A-Z]{3} \d{3}", row["text"])
        assert row["license"] == "CC0-1.0"
        assert row["parents"][-1] == "corpus:plates"
        assert "".join(r["text"] for r in row["text_regions"] if r["level"] == "glyph") == row["text"].replace(" ", "")


def test_its_fields_are_checked(tmp_path: Path) -> None:
    write(tmp_path / "my_synth" / "plates.py", block(CONTENT, "python"))
    write(tmp_path / "plates.yaml", block(CONTENT, "yaml").replace("digits: 3", "digits: many"))
    done = render(tmp_path, "plates.yaml")
    assert done.returncode == 2
    assert "field 'digits': input should be a valid integer, found 'many'" in done.stderr
    assert "contents.0" in done.stderr
    assert done.stderr.count("\n") == 1
