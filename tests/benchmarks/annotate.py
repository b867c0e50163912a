"""Pictures per second on one core: decode, each measure, each annotator, over the pictures of scikit-image and scikit-learn.

    python tests/benchmarks/annotate.py [--repeats 3] [--edge 0] [--skip-ocr]

Every model runs on one thread and seconds are CPU time of this process, so that other work on the
machine matters little; of the repeats over all pictures the fastest counts. ``--edge N`` resizes the pictures to N px on the shorter side and encodes
them as JPEG again, for figures that do not depend on what the packages happen to carry. The last
line is one JSON object.
"""

from __future__ import annotations

import argparse
import importlib.util
import io
import json
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
from PIL import Image

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))  # run as a file, from anywhere

from configs.pictures import DecodeError, Limits, decode, probe, small
from pipeline.annotators import measure
from pipeline.annotators.base import Picture
from pipeline.annotators.classify import ClassifyAnnotator
from pipeline.annotators.codes import CodesAnnotator
from pipeline.annotators.faces import FacesAnnotator
from pipeline.annotators.nsfw import NsfwAnnotator
from pipeline.annotators.ocr import OcrAnnotator
from pipeline.annotators.provenance import ProvenanceAnnotator

FOLDERS = (("skimage", "data"), ("sklearn", "datasets/images"))
SHORTEST = 200
"""px; icons and test patterns of the packages are smaller."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument(
        "--edge", type=int, default=0, help="resize to this shorter side, px; 0 leaves them as they are"
    )
    parser.add_argument("--skip-ocr", action="store_true")
    args = parser.parse_args()
    files = load(args.edge)
    pixels = [decode(data, Limits()) for data in files]
    megapixels = sum(p.shape[0] * p.shape[1] for p in pixels) / 1e6
    figures: dict[str, float] = {"pictures": len(files), "mean_megapixels": round(megapixels / len(files), 3)}
    print(
        f"{len(files)} pictures, {megapixels / len(files):.2f} megapixels on average; pictures per second on one core:"
    )
    for name, run in stages(files, pixels, args.skip_ocr).items():
        seconds = fastest(run, args.repeats)
        figures[f"{name}_per_s"] = round(len(files) / seconds, 2)
        print(f"  {name:<22}{len(files) / seconds:10.1f}   {1000 * seconds / len(files):8.2f} ms", flush=True)
    print(json.dumps(figures))


def stages(files: Sequence[bytes], pixels: Sequence[np.ndarray], skip_ocr: bool) -> dict[str, Callable[[], object]]:
    """What is timed, each over all pictures; models are loaded and warm."""
    limits = Limits()
    reference = [measure.at_reference(p, 512) for p in pixels]
    gray = [r @ measure.LUMA for r in reference]
    everything = measure.MeasureAnnotator()
    done: dict[str, Callable[[], object]] = {
        "probe": lambda: [probe(data, limits) for data in files],
        "decode": lambda: [decode(data, limits) for data in files],
        "to_reference_size": lambda: [measure.at_reference(p, 512) for p in pixels],
        "clarity": lambda: [measure.clarity(g) for g in gray],
        "luma": lambda: [measure.luma(g) for g in gray],
        "exposure": lambda: [measure.exposure(g) for g in gray],
        "saturation": lambda: [measure.saturation(r) for r in reference],
        "entropy": lambda: [measure.entropy(r) for r in reference],
        "texture": lambda: [measure.texture(g) for g in gray],
        "blockiness": lambda: [measure.blockiness(p) for p in pixels],
        "pixel_sha256": lambda: [measure.pixel_sha256(p) for p in pixels],
        "phash": lambda: [measure.phash(p) for p in pixels],
        "measure_all": lambda: everything.annotate([Picture({}, pixels=p) for p in pixels]),
        "small_256": lambda: [small(p, 256) for p in pixels],
    }
    for annotator in (CodesAnnotator(), FacesAnnotator()):
        annotator.setup()
        done[annotator.name] = lambda a=annotator: [a.annotate([Picture({}, pixels=p)]) for p in pixels]
    provenance = ProvenanceAnnotator()
    provenance.setup()
    rows = [{"image": {"bytes": data}, "format": probe(data, limits).format} for data in files]
    done["provenance"] = lambda: provenance.annotate([Picture(row) for row in rows])
    copies = [Picture({}, thumbnails={256: small(p, 256)}) for p in pixels]
    for model in (NsfwAnnotator(), ClassifyAnnotator()):
        model.setup()
        for width in model.batch_widths:
            done[f"{model.name}_batch_{width}"] = lambda model=model, width=width: [
                model.annotate(copies[i : i + width]) for i in range(0, len(copies), width)
            ]
    if not skip_ocr:
        ocr = OcrAnnotator()
        ocr.setup()
        done["ocr_with_decode"] = lambda: ocr.annotate([Picture({"image": {"bytes": data}}) for data in files])
    return done


def fastest(run: Callable[[], object], repeats: int) -> float:
    times = []
    for _ in range(repeats):
        start = time.process_time()
        run()
        times.append(time.process_time() - start)
    return min(times)


def load(edge: int) -> list[bytes]:
    """The encoded pictures that the packages carry, in the order of their names."""
    files = []
    for package, folder in FOLDERS:
        spec = importlib.util.find_spec(package)
        if spec is None or not spec.submodule_search_locations:
            sys.exit(f"the package {package} is not installed")
        for path in sorted((Path(spec.submodule_search_locations[0]) / folder).iterdir()):
            data = path.read_bytes() if path.is_file() else b""
            try:
                header = probe(data, Limits())
            except DecodeError:
                continue
            if min(header.width, header.height) >= SHORTEST:
                files.append(resized(data, edge) if edge else data)
    return files


def resized(data: bytes, edge: int) -> bytes:
    image = Image.fromarray(decode(data, Limits()))
    scale = edge / min(image.size)
    buffer = io.BytesIO()
    image.resize((round(image.width * scale), round(image.height * scale)), Image.Resampling.LANCZOS).save(
        buffer, "JPEG", quality=90
    )
    return buffer.getvalue()


if __name__ == "__main__":
    main()
