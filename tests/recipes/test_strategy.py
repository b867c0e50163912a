"""CONTRIBUTING.md, "A strategy", followed to the letter: a strategy of one's own, rendered by Ray's workers."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from tests.recipes.contributing import block
from tests.recipes.synthesis import render, rendered, write

HEADING = "### A strategy"
BORDER = 6  # px, as the recipe of the block says


def test_a_strategy_of_ones_own_draws_a_dataset(tmp_path: Path) -> None:
    write(tmp_path / "my_synth" / "framed.py", block(HEADING, "python"))
    write(tmp_path / "framed.yaml", block(HEADING, "yaml"))
    for row in rendered(tmp_path, "framed.yaml"):
        pixels = np.asarray(row["picture"])
        assert pixels.shape == (96, 160, 3)
        frame = np.ones(pixels.shape[:2], bool)
        frame[BORDER:-BORDER, BORDER:-BORDER] = False
        assert len(np.unique(pixels[frame], axis=0)) == 1  # one color all around
        assert len(np.unique(pixels[~frame], axis=0)) > 2  # ground, text and what lies between them at its edges
        for region in row["text_regions"]:
            assert min(region["quad"]) >= BORDER
        assert row["strategy"] == "my_synth.framed:Framed"
        assert row["text"]
        assert row["text"] in row["captions"][0]["text"]


def test_its_fields_are_checked(tmp_path: Path) -> None:
    write(tmp_path / "my_synth" / "framed.py", block(HEADING, "python"))
    write(tmp_path / "framed.yaml", block(HEADING, "yaml").replace("border: 6", "bordr: 6"))
    done = render(tmp_path, "framed.yaml")
    assert done.returncode == 2
    assert "kind my_synth.framed:Framed: unknown field 'bordr'; did you mean border?" in done.stderr
    assert done.stderr.count("\n") == 1
