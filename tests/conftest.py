"""What tests of several packages share: one real run of the pipeline, a folder in bfloat16, each made once."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.pipeline import commands

SMALL_RUN = """
sources:
- {kind: folder, name: photos, path: PHOTOS, captions: PHOTOS.tsv}
- {kind: synth, name: glyphs, recipe: configs/synth/glyphs.yaml, count: 96}
- {kind: synth, name: pure, recipe: configs/synth/pure.yaml, count: 24}
fragments: {inputs: 40}
annotate: [{kind: measure}]
pack: {rows: 32}
decide:
  rules:
  - {name: S2.luma, stage: 2, keep: "luma < 0.6", applies_to: "recipe is null"}
"""


@pytest.fixture(scope="session")
def small_run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A finished run: 12 pictures with captions, one of them broken, and 120 renderings. Read only."""
    folder = tmp_path_factory.mktemp("small")
    commands.write_pictures(folder / "photos", 12, edge=160)
    (folder / "photos" / "011.png").write_bytes(b"no picture")
    captions = [f"{i:03d}.png\ta noisy cloud of colors number {i}" for i in range(10)] + [
        "010.png\tSorry, I cannot help"
    ]
    (folder / "photos.tsv").write_text("\n".join(captions) + "\n")
    (folder / "config.yaml").write_text(SMALL_RUN.replace("PHOTOS", str(folder / "photos")))
    commands.run_to_end(folder / "config.yaml", folder / "run")
    return folder / "run"


MIXED_RUN = """
sources:
- {kind: folder, name: photos, path: PHOTOS, captions: PHOTOS.tsv}
- {kind: synth, name: pure, recipe: configs/synth/pure.yaml, count: 24}
- {kind: synth, name: scene, recipe: configs/synth/scene.yaml, count: 8}
- {kind: synth, name: edit, recipe: configs/synth/edit.yaml, count: 16}
fragments: {inputs: 40}
annotate: [{kind: measure}]
pack: {rows: 32}
decide:
  rules:
  - {name: S2.luma, stage: 2, keep: "luma < 0.6", applies_to: "recipe is null"}
"""


@pytest.fixture(scope="session")
def mixed_run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A finished run of all tasks: 12 pictures of 320 px, two of them without a valid caption, pages, scenes, 16 edits.
    Read only."""
    folder = tmp_path_factory.mktemp("mixed")
    commands.write_pictures(folder / "photos", 12, edge=320)
    captions = [f"{i:03d}.png\ta noisy cloud of colors number {i}" for i in range(10)]
    (folder / "photos.tsv").write_text("\n".join([*captions, "010.png\tSorry, I cannot help"]) + "\n")
    (folder / "config.yaml").write_text(MIXED_RUN.replace("PHOTOS", str(folder / "photos")))
    commands.run_to_end(folder / "config.yaml", folder / "run")
    return folder / "run"


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
