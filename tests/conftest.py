"""What tests of several packages share: one real run of the pipeline, a folder in bfloat16, each made once."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.pipeline import commands

RUN = """
sources:
- {kind: folder, name: photos, path: PHOTOS, captions: PHOTOS.tsv}
SYNTH
fragments: {inputs: 40}
annotate: [{kind: measure}]
pack: {rows: 32}
decide:
  rules:
  - {name: S2.luma, stage: 2, keep: "luma < 0.6", applies_to: "recipe is null"}
"""


def run_with_photos(folder: Path, edge: int, counts: dict[str, int], broken: str | None = None) -> Path:
    """A finished run of 12 pictures of ``edge`` px with captions, one of them refused and one missing, and renderings.

    ``counts``: of each recipe. ``broken``: the picture that is none.
    """
    photos = folder / "photos"
    commands.write_pictures(photos, 12, edge=edge)
    if broken:
        (photos / broken).write_bytes(b"no picture")
    captions = [f"{i:03d}.png\ta noisy cloud of colors number {i}" for i in range(10)]
    (folder / "photos.tsv").write_text("\n".join([*captions, "010.png\tSorry, I cannot help"]) + "\n")
    synth = [f"- {{kind: synth, name: {n}, recipe: configs/synth/{n}.yaml, count: {c}}}" for n, c in counts.items()]
    (folder / "config.yaml").write_text(RUN.replace("PHOTOS", str(photos)).replace("SYNTH", "\n".join(synth)))
    commands.run_to_end(folder / "config.yaml", folder / "run")
    return folder / "run"


@pytest.fixture(scope="session")
def small_run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A finished run: 12 pictures with captions, one of them broken, and 120 renderings. Read only."""
    return run_with_photos(tmp_path_factory.mktemp("small"), 160, {"glyphs": 96, "pure": 24}, "011.png")


@pytest.fixture(scope="session")
def mixed_run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A finished run of all tasks: 12 pictures of 320 px, two of them without a valid caption, pages, scenes, 16 edits.
    Read only."""
    return run_with_photos(tmp_path_factory.mktemp("mixed"), 320, {"pure": 24, "scene": 8, "edit": 16})


@pytest.fixture
def poor(monkeypatch: pytest.MonkeyPatch) -> None:
    """As on a CPU that has no kernels for bfloat16."""
    monkeypatch.setattr("model.precision.cpu_multiplies_bf16", lambda: False)


@pytest.fixture(scope="session")
def narrow(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A pipeline folder whose weights are all bfloat16. Read only."""
    import configs
    from model.config import ModelConfig
    from model.init import init_folder
    from tests.model.folders import SMALLER, TINY

    folder = tmp_path_factory.mktemp("narrow") / "folder"
    init_folder(configs.load(TINY, ModelConfig, (*SMALLER, "dtype=bfloat16")), folder)
    return folder
