"""Recipes of one's own for which CONTRIBUTING.md names no command, rendered by one run."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.recipes.contributing import block
from tests.recipes.synthesis import render_together, write
from tests.shared import Shared

CONTENT, TEMPLATE = "### A kind of content", "### A template"


@pytest.fixture(scope="session")
def own_recipes(shared: Shared) -> Path:
    """A folder with the kind of content and the template, and a run of their recipes. Read only."""

    def make(folder: Path) -> None:
        write(folder / "my_synth" / "plates.py", block(CONTENT, "python"))
        write(folder / "plates.yaml", block(CONTENT, "yaml"))
        write(folder / "my_templates" / "shelf_label.yaml", block(TEMPLATE, "yaml"))
        write(folder / "labels.yaml", block(TEMPLATE, "yaml", 1))
        render_together(folder, ["plates", "labels"])

    return shared("recipes", make)
