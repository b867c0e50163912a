"""What a machine that only trains has to have installed."""

from __future__ import annotations

import subprocess
import sys

_NOT_NEEDED = {
    *(
        "aiohttp",
        "cv2",
        "datasets",
        "diffusers",
        "duckdb",
        "imagehash",
        "obstore",
        "onnxruntime",
        "open_clip",
        "paddleocr",
    ),
    *("polars", "protego", "pydantic", "ray", "skia", "torchao", "uharfbuzz", "usearch", "yarl", "zxingcpp"),
}
_CODE = """
import sys
import trainer.fit, trainer.launch, trainer.__main__
print(*{name.partition(".")[0] for name in sys.modules})
"""


def test_a_training_does_without_the_libraries_of_the_pipeline() -> None:
    """A GPU machine may lack them. pydantic reads configs alone, when there is one to read."""
    done = subprocess.run([sys.executable, "-c", _CODE], check=True, capture_output=True, text=True)
    assert not _NOT_NEEDED & set(done.stdout.split())
