"""Files that say of themselves that a model made the picture, each written by a real writer; and those that do not."""

from __future__ import annotations

import io
import json
import socket
from typing import Any

import pytest
import skimage.data
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from configs.decoding.metadata import texts
from pipeline.annotators.base import Picture
from pipeline.annotators.provenance import ProvenanceAnnotator
from tests.fuzz import CHANGES, damaged, fuzzed
from tests.pipeline.annotators.signing import signed

COFFEE = Image.fromarray(skimage.data.coffee()).resize((120, 80))
SETTINGS = "a cup of coffee\nNegative prompt: tea\nSteps: 20, Sampler: Euler a, CFG scale: 7, Seed: 1, Size: 512x512"
SWARM = json.dumps({"sui_image_params": {"prompt": "a cat", "steps": 20}})
GRAPH = json.dumps({"3": {"class_type": "KSampler", "inputs": {"seed": 1}}})
XMP = (
    '<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF><rdf:Description Iptc4xmpExt:DigitalSourceType='
    '"http://cv.iptc.org/newscodes/digitalsourcetype/trainedAlgorithmicMedia"/></rdf:RDF></x:xmpmeta>'
)


@pytest.fixture(scope="module")
def annotator() -> ProvenanceAnnotator:
    made = ProvenanceAnnotator()
    made.setup()
    return made


def score(annotator: ProvenanceAnnotator, data: bytes, container: str) -> dict[str, Any]:
    (row,) = annotator.annotate([Picture({"image": {"bytes": data}, "format": container})])
    return row


def encode(container: str, **options: Any) -> bytes:
    buffer = io.BytesIO()
    COFFEE.save(buffer, container, **options)
    return buffer.getvalue()


def png(keyword: str, text: str, compressed: bool = False) -> bytes:
    info = PngInfo()
    info.add_text(keyword, text, zip=compressed)
    return encode("PNG", pnginfo=info)


def itxt(keyword: str, text: str, compressed: bool = False) -> bytes:
    info = PngInfo()
    info.add_itxt(keyword, text, zip=compressed)
    return encode("PNG", pnginfo=info)


def label(number: int) -> str:
    """The implicit label that Chinese services write (GB 45438-2025)."""
    about = f'<TC260:AIGC>{{"Label":"{number}","ContentProducer":"somebody","ProduceID":"7"}}</TC260:AIGC>'
    return (
        f'<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF><rdf:Description>{about}</rdf:Description></rdf:RDF></x:xmpmeta>'
    )


def exif(tag: int, value: str | bytes) -> bytes:
    block = Image.Exif()
    if tag == 0x9286:
        block.get_ifd(0x8769)[tag] = value
    else:
        block[tag] = value
    return block.tobytes()


DECLARED = {
    "PNG of Stable Diffusion's web interface": (png("parameters", SETTINGS), "PNG"),
    "the same, compressed": (png("parameters", SETTINGS, compressed=True), "PNG"),
    "PNG with ComfyUI's prompt": (png("prompt", GRAPH), "PNG"),
    "PNG with ComfyUI's workflow": (png("workflow", json.dumps({"nodes": [], "links": []})), "PNG"),
    "PNG of NovelAI": (png("Software", "NovelAI"), "PNG"),
    "JPEG with settings in UserComment": (
        encode("JPEG", exif=exif(0x9286, b"UNICODE\0" + SETTINGS.encode("utf-16-be"))),
        "JPEG",
    ),
    "WebP with settings in UserComment": (
        encode("WEBP", exif=exif(0x9286, b"ASCII\0\0\0" + SETTINGS.encode())),
        "WEBP",
    ),
    "JPEG with its generator in Software": (encode("JPEG", exif=exif(0x0131, "Midjourney 6.1")), "JPEG"),
    "JPEG with an XMP source type": (encode("JPEG", xmp=XMP.encode()), "JPEG"),
    "JPEG with an XMP tool": (encode("JPEG", xmp=b'<x xmp:CreatorTool="Adobe Firefly 2"/>'), "JPEG"),
    "JPEG with an AI system": (encode("JPEG", xmp=b'<x Iptc4xmpExt:AISystemUsed="a model"/>'), "JPEG"),
    "JPEG with XMP in UTF-16": (encode("JPEG", xmp=XMP.encode("utf-16")), "JPEG"),
    "PNG with compressed XMP": (itxt("XML:com.adobe.xmp", XMP, compressed=True), "PNG"),
    "PNG with the AIGC label": (itxt("XML:com.adobe.xmp", label(1)), "PNG"),
    "JPEG with the AIGC label in entities": (encode("JPEG", xmp=label(3).replace('"L', "&quot;L").encode()), "JPEG"),
    "PNG with an AIGC keyword": (png("AIGC", '{"Label": "2"}'), "PNG"),
    "WebP with ComfyUI's prompt": (encode("WEBP", exif=exif(0x0110, "prompt:" + GRAPH)), "WEBP"),
    "PNG with a graph too long to read": (png("prompt", GRAPH[:-1] + ', "4": "' + "y" * 1_100_000 + '"}'), "PNG"),
    "PNG of SwarmUI": (png("parameters", SWARM), "PNG"),
    "PNG of Midjourney": (png("Description", "a cat --v 6 Job ID: 01234567-89ab-cdef-0123-456789abcdef"), "PNG"),
    "PNG by ImageMagick": (png("Raw profile type exif", f"\nexif\n  9\n{exif(0x0131, 'Midjourney').hex()}\n"), "PNG"),
    "TIFF with its generator in Software": (encode("TIFF", tiffinfo={0x0131: "Midjourney"}), "TIFF"),
    "AVIF with its generator in Software": (encode("AVIF", exif=exif(0x0131, "ComfyUI")), "AVIF"),
    "AVIF with an XMP source type": (encode("AVIF", xmp=XMP.encode()), "AVIF"),
    "GIF with settings in a comment": (encode("GIF", comment=SETTINGS.encode()), "GIF"),
}
NOT = {
    "plain JPEG": (encode("JPEG"), "JPEG"),
    "JPEG of a camera": (encode("JPEG", exif=exif(0x0131, "Adobe Photoshop 25.0")), "JPEG"),
    "PNG that is about a generator": (png("Description", "how Midjourney and Stable Diffusion work"), "PNG"),
    "PNG of a Chinese character": (png("Title", "The ideogram for water"), "PNG"),
    "PNG with a title that has a name in a word": (png("Title", "conflux1"), "PNG"),
    "JPEG of an exhibition": (encode("JPEG", xmp=b'<x photoshop:Credit="Photo of the DALL-E exhibition"/>'), "JPEG"),
    "JPEG with a drawing lesson": (encode("JPEG", comment=b"draw things with your children"), "JPEG"),
    "PNG about the vocabulary": (png("Description", "trainedAlgorithmicMedia is a word of the IPTC"), "PNG"),
    "PNG with somebody's nodes": (png("workflow", json.dumps({"nodes": ["render farm"]})), "PNG"),
    "JPEG with another label": (encode("JPEG", xmp=label(0).encode()), "JPEG"),
    "PNG with another program's parameters": (png("parameters", "width 12, height 8"), "PNG"),
    "PNG with a prompt for people": (png("prompt", "please crop"), "PNG"),
    "JPEG with a camera's XMP source type": (
        encode("JPEG", xmp=XMP.replace("trainedAlgorithmicMedia", "digitalCapture").encode()),
        "JPEG",
    ),
}


@pytest.mark.parametrize("name", DECLARED)
def test_a_file_that_says_so_is_declared(annotator: ProvenanceAnnotator, name: str) -> None:
    row = score(annotator, *DECLARED[name])
    assert row["generated"] == "declared"
    assert row["generator"]


@pytest.mark.parametrize("name", NOT)
def test_a_file_that_does_not_say_so_is_not(annotator: ProvenanceAnnotator, name: str) -> None:
    assert score(annotator, *NOT[name]) == {"generated": "none", "generator": None}


@pytest.mark.parametrize(("container", "mime"), [("JPEG", "image/jpeg"), ("PNG", "image/png"), ("WEBP", "image/webp")])
def test_a_manifest_whose_signature_holds_is_signed(annotator: ProvenanceAnnotator, container: str, mime: str) -> None:
    data = signed(encode(container), mime, "trainedAlgorithmicMedia")
    assert score(annotator, data, container) == {"generated": "signed", "generator": "C2PA: test generator"}


def test_the_first_picture_of_a_burst_is_read_too(annotator: ProvenanceAnnotator) -> None:
    data = signed(encode("JPEG"), "image/jpeg", "trainedAlgorithmicMedia")
    assert score(annotator, data, "MPO")["generated"] == "signed"


def test_a_changed_picture_is_only_declared(annotator: ProvenanceAnnotator) -> None:
    data = bytearray(signed(encode("JPEG"), "image/jpeg", "compositeWithTrainedAlgorithmicMedia"))
    data[-200] ^= 0xFF
    assert score(annotator, bytes(data), "JPEG")["generated"] == "declared"


def test_a_signed_photograph_is_none(annotator: ProvenanceAnnotator) -> None:
    assert score(annotator, signed(encode("JPEG"), "image/jpeg", "digitalCapture"), "JPEG")["generated"] == "none"


def test_nothing_is_fetched(annotator: ProvenanceAnnotator, monkeypatch: pytest.MonkeyPatch) -> None:
    """A manifest that lies elsewhere stays there: the address is one of ours, and nobody calls."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(0.2)
        address = f"http://127.0.0.1:{server.getsockname()[1]}/manifest.c2pa"
        xmp = f'<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#"><rdf:Description xmlns:dcterms="http://purl.org/dc/terms/" dcterms:provenance="{address}"/></rdf:RDF></x:xmpmeta><!-- c2pa -->'
        assert score(annotator, encode("JPEG", xmp=xmp.encode()), "JPEG")["generated"] == "none"
        with pytest.raises(TimeoutError):
            server.accept()


SIGNED = signed(encode("JPEG"), "image/jpeg", "trainedAlgorithmicMedia")
WHOLE = [data for data, _ in DECLARED.values()]


@fuzzed(40)
@given(st.sampled_from(WHOLE), CHANGES, st.floats(0, 1))
def test_broken_metadata_never_raises(data: bytes, changes: list[tuple[str, float, bytes]], cut: float) -> None:
    assert all(isinstance(text, str) for _, text in texts(damaged(data, changes, cut)))


@fuzzed(25)
@given(CHANGES, st.floats(0.5, 1))
def test_a_broken_manifest_costs_no_picture(
    annotator: ProvenanceAnnotator, changes: list[tuple[str, float, bytes]], cut: float
) -> None:
    row = score(annotator, damaged(SIGNED, changes, cut), "JPEG")
    assert row["generated"] in ("signed", "declared", "none")
