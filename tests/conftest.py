"""What tests of several packages share: one real run of the pipeline, a folder in bfloat16, each made once."""

from __future__ import annotations

import gc
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests import fuzz
from tests.pipeline import commands
from tests.shared import Shared, shared_by_workers

if TYPE_CHECKING:
    from tests.object_store import Proxy, Server
fuzz.register()

# Beside tests that keep all cores busy, workers at Ray's own niceness of 15 hardly run: a test of a minute took eight.
os.environ |= {"RAY_worker_niceness": "0"}

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

LONG_FILES = (
    *("pipeline/chaos/test_chaos.py", "trainer/parallel/test_parallel.py", "pipeline/test_ray_job.py"),
    *("pipeline/test_cluster.py", "trainer/data/producers/test_encode.py", "trainer/post/test_grpo.py"),
    *("trainer/state/test_checkpoint.py", "trainer/data/producers/test_live.py", "trainer/data/test_growth.py"),
    *(
        "pipeline/engine/test_run_object_store.py",
        "pipeline/engine/test_run_hostile.py",
        "trainer/test_saved_config.py",
    ),
    *("trainer/test_full_model.py", "trainer/lora/test_dropout.py", "trainer/test_fit.py", "model/test_edit.py"),
    *("trainer/state/test_kills.py", "trainer/evaluate/test_run.py", "trainer/tasks/test_edit_config.py"),
    *(
        "model/test_compile.py",
        "pipeline/engine/test_add.py",
        "trainer/optim/test_offload.py",
        "model/test_describe.py",
    ),
    *("trainer/optim/test_plans.py", "pipeline/engine/test_remove.py", "trainer/tasks/test_against_diffusers.py"),
    *("trainer/test_dry_run.py", "trainer/test_memory_plan.py", "pipeline/pack/test_export.py"),
    *("trainer/test_finite.py", "trainer/data/test_growth_in_a_store.py", "pipeline/pack/test_publish.py"),
    *("trainer/lora/test_memory.py",),
)
"""Those that take half a minute of a core and more, the longest first: begun last, one would leave the others idle."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The long files first; the order within a file stays."""
    places = {str(Path(__file__).parent / name): place for place, name in enumerate(LONG_FILES)}
    items.sort(key=lambda item: places.get(str(item.path), len(places)))


def pytest_collection_finish() -> None:
    """What was imported stays to the end: the collector need not walk through torch and all others again and again."""
    gc.collect()
    gc.freeze()


@pytest.fixture(scope="module", autouse=True)
def ray_ends_with_its_file() -> Iterator[None]:
    """A Ray that waits for work takes a sixth of a core."""
    yield
    if "ray" in sys.modules:
        from pipeline import cluster

        cluster.disconnect()


def run_with_photos(folder: Path, edge: int, counts: dict[str, int], broken: str | None = None) -> None:
    """In ``folder / "run"`` a finished run of 12 pictures of ``edge`` px with captions, one of them refused and one missing, and renderings.

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
    commands.run_inline("run", folder / "config.yaml", folder / "run")


@pytest.fixture(scope="session")
def shared(pytestconfig: pytest.Config, tmp_path_factory: pytest.TempPathFactory) -> Shared:
    """Makes a folder once for all workers."""
    return shared_by_workers(pytestconfig, tmp_path_factory)


@pytest.fixture(scope="session")
def small_run(shared: Shared) -> Path:
    """A finished run: 12 pictures with captions, one of them broken, and 120 renderings. Read only."""
    counts = {"glyphs": 96, "pure": 24}
    return shared("small", lambda folder: run_with_photos(folder, 160, counts, "011.png")) / "run"


@pytest.fixture(scope="session")
def mixed_run(shared: Shared) -> Path:
    """A finished run of all tasks: 12 pictures of 320 px, two of them without a valid caption, pages, scenes, 16 edits.
    Read only."""
    counts = {"pure": 24, "scene": 8, "edit": 16}
    return shared("mixed", lambda folder: run_with_photos(folder, 320, counts)) / "run"


@pytest.fixture(scope="session")
def object_store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """An S3 server on this machine."""
    from tests.object_store import serving

    with serving(tmp_path_factory.mktemp("s3")) as server:
        yield server


@pytest.fixture
def bucket(object_store: Server) -> Iterator[Path]:
    """An empty bucket, which this process reaches."""
    from configs.storage import StorageConfig, use_storage

    use_storage(object_store.config())
    yield object_store.bucket()
    use_storage(StorageConfig())


@pytest.fixture
def proxy(object_store: Server, bucket: Path) -> Iterator[Proxy]:
    """What stands between this process and ``bucket``."""
    from configs.storage import use_storage
    from tests.object_store import proxied

    with proxied(object_store) as between:
        use_storage(object_store.config(between.endpoint))
        yield between


@pytest.fixture
def poor(monkeypatch: pytest.MonkeyPatch) -> None:
    """As on a CPU that has no kernels for bfloat16."""
    monkeypatch.setattr("model.precision.cpu_multiplies_bf16", lambda: False)


@pytest.fixture(scope="session")
def narrow(shared: Shared) -> Path:
    """A pipeline folder whose weights are all bfloat16. Read only."""
    import configs
    from model.config import ModelConfig
    from model.init import init_folder
    from tests.model.folders import SMALLER, TINY

    config = configs.load(TINY, ModelConfig, (*SMALLER, "dtype=bfloat16"))
    return shared("narrow", lambda folder: init_folder(config, folder / "model")) / "model"
