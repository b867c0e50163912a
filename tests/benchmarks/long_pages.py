"""Pages larger than the detector's 960 px: characters read of those drawn, and CPU seconds.

python -m tests.benchmarks.long_pages
"""

from __future__ import annotations

import json
import time
from typing import Any

import numpy as np
from PIL import Image

from pipeline.ocr.lines import character_accuracy, height_of, normalize
from pipeline.ocr.reader import Reader
from tests.pipeline.drawing import page

PAGES = ((28, 800, 6541), (28, 600, 16_000), (40, 4000, 3000), (24, 4000, 3000), (24, 1328, 1328), (22, 900, 900))
"""Size of the letters, width and height of the page, px."""
CHINESE, ENGLISH = (
    "春天的花园里开满了花今天的天气很好我们去公园散步" * 9,
    "Annual report of the garden society 2024, page " * 9,
)


def main() -> None:
    reader = Reader()
    reader.load()
    figures = {
        f"{width} x {height}, {size} px": measured(reader, *written(size, width, height))
        for size, width, height in PAGES
    }
    grain = np.random.default_rng(0).integers(0, 255, (10_000, 10_000, 3), np.uint8)
    figures |= {"10000 x 10000, noise": measured(reader, grain, "")}
    smooth = np.asarray(Image.fromarray(grain[:30, :40]).resize((4000, 3000), Image.Resampling.BICUBIC))
    print(json.dumps(figures | {"4000 x 3000, no text": measured(reader, smooth, "")}))


def written(size: int, width: int, height: int) -> tuple[np.ndarray, str]:
    """A page full of lines, English and Chinese in turn."""
    rows = []
    for i, y in enumerate(np.arange(size, height - 2 * size, 1.45 * size)):
        room = (width - 48) / size
        text = CHINESE[i % 20 :][: int(room) - 1] if i % 2 else ENGLISH[i % 9 : int(1.7 * room)]
        rows.append((24, int(y), size, text))
    return page(rows, width, height), "\n".join(row[3] for row in rows)


def measured(reader: Reader, picture: np.ndarray, drawn: str) -> dict[str, Any]:
    started = time.process_time()
    lines = reader.read(picture)
    seconds = time.process_time() - started
    read = "\n".join(line.text for line in lines)
    figures = {
        "characters": len(normalize(drawn)),
        "read": len(normalize(read)),
        "accuracy": round(character_accuracy(drawn, read), 4),
        "lowest line, px": round(min((height_of(line) for line in lines), default=0.0)),
        "CPU seconds": round(seconds, 1),
    }
    print(figures, flush=True)
    return figures


if __name__ == "__main__":
    main()
