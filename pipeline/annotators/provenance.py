"""Whether a file says of itself that a machine made the picture: the report keeps AI-made pictures out of its data.

    bytes ──C2PA manifest (c2pa-python), its signature checked─────────> signed
          ──XMP, IPTC DigitalSourceType; PNG text; EXIF──> generators──> declared
          ──nothing of it────────────────────────────────────────────> none

C2PA: https://spec.c2pa.org, action ``digitalSourceType``; the vocabulary: https://cv.iptc.org/newscodes/digitalsourcetype.
Nothing is fetched: neither remote manifests nor revocation lists, and a signer need not be known, only the signature
be whole. A manifest that does not hold counts as declared. What says nothing may be AI-made all the same: ``none`` is
no proof. Which keys and names give a generator away is chosen.
"""

from __future__ import annotations

import io
import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from configs.decoding.metadata import texts
from configs.files import find_package
from pipeline import schema
from pipeline.annotators.base import Annotator, AnnotatorConfig, Picture

if TYPE_CHECKING:
    from configs.pictures import Limits

_SOURCE_TYPE = re.compile(rb"(?<![A-Za-z])(trained|compositeWithTrained)AlgorithmicMedia")
"""Of the IPTC vocabulary: made, or in part made, by a trained model."""

_GENERATORS = re.compile(
    r"stable.?diffusion|automatic1111|comfyui|invokeai|novelai|midjourney|dall.?e\b|adobe firefly|fooocus|swarmui"
    r"|draw things|dreamstudio|leonardo\.ai|ideogram|flux\.?1|google imagen|made with google ai|bing image creator",
    re.IGNORECASE,
)
"""Names of generators as they stand in Software and the like."""

_NAMING = ("Software", "Make", "Model", "Artist", "Author", "Source", "Title", "Comment", "Credit")
"""Fields in which a program names itself; a description that speaks of a generator was not made by one."""

_SETTINGS = re.compile(r"\bSteps: \d+.*\b(Sampler|CFG scale|Seed): ", re.DOTALL)
"""What Stable Diffusion's web interfaces write as ``parameters`` in a PNG, and as UserComment elsewhere."""

_XMP = re.compile(rb"(CreatorTool|photoshop:Credit)(?:=[\"']|>)([^\"'<]{1,200})")

_OWN_KEYS = ("invokeai_metadata", "sd-metadata", "dream", "fooocus_scheme", "generation_data")
"""PNG keywords that generators alone write."""

_MIME = {
    "JPEG": "image/jpeg",
    "MPO": "image/jpeg",
    "PNG": "image/png",
    "WEBP": "image/webp",
    "GIF": "image/gif",
    "TIFF": "image/tiff",
    "AVIF": "image/avif",
    "HEIF": "image/heif",
    "JXL": "image/jxl",
}
"""Pillow's name of a container -> what c2pa-python calls it; the others carry no manifests."""

_WORDS = 80
"""Characters of ``generator`` at most."""


@dataclass(frozen=True)
class ProvenanceConfig(AnnotatorConfig):
    """Nothing to choose."""

    kind: Literal["provenance"]

    def make(self, limits: Limits) -> ProvenanceAnnotator:
        return ProvenanceAnnotator()


class ProvenanceAnnotator(Annotator):
    """``generated`` and, where it is not none, ``generator``: what says so. For every row that no recipe of ours made."""

    name = "provenance"
    version = "1"
    input: ClassVar[Literal["bytes"]] = "bytes"
    columns = tuple(schema.PROVENANCE.values())

    def __init__(self) -> None:
        self._context: Any = None

    def missing(self) -> str | None:
        return "the package c2pa-python is not installed" if find_package("c2pa") is None else None

    def applies_to(self, row: Any) -> bool:
        return row.get("recipe") is None

    def setup(self) -> None:
        from c2pa import Context

        offline = {"remote_manifest_fetch": False, "ocsp_fetch": False, "verify_trust": False}
        self._context = Context.from_dict({"verify": offline})

    def annotate(self, pictures: Sequence[Picture]) -> list[dict[str, Any]]:
        return [self._annotate(picture.row["image"]["bytes"], picture.row.get("format")) for picture in pictures]

    def _annotate(self, data: bytes, container: str | None) -> dict[str, Any]:
        signer = self._signed(data, container)
        if signer is not None:
            return {"generated": "signed", "generator": signer[:_WORDS]}
        said = next(_declared(data), None)
        return {"generated": "declared" if said else "none", "generator": said and said[:_WORDS]}

    def _signed(self, data: bytes, container: str | None) -> str | None:
        """The name of the generator in a C2PA manifest whose signature holds and that says AI-made, else None."""
        if b"c2pa" not in data or container not in _MIME:  # all manifests carry their label
            return None
        from c2pa import C2paError, Reader

        try:
            with Reader(_MIME[container], io.BytesIO(data), context=self._context) as reader:
                store = json.loads(reader.json())
        except (C2paError, ValueError):  # no manifest after all, or one that cannot be read: it may still declare
            return None
        if store.get("validation_state") not in ("Valid", "Trusted"):
            return None
        manifest = store.get("manifests", {}).get(store.get("active_manifest"), {})
        return _generator(manifest) if _is_made(manifest) else None


def _is_made(manifest: dict[str, Any]) -> bool:
    """Whether an action of the manifest names a source type of trained models."""
    actions = [a["data"] for a in manifest.get("assertions", ()) if str(a.get("label", "")).startswith("c2pa.actions")]
    return _SOURCE_TYPE.search(json.dumps(actions).encode()) is not None


def _generator(manifest: dict[str, Any]) -> str:
    names = [info.get("name") for info in manifest.get("claim_generator_info") or ()]
    return f"C2PA: {next((n for n in names if n), None) or manifest.get('claim_generator') or 'no name'}"


def _declared(data: bytes) -> Iterator[str]:
    """What says that a model made the picture, without proof; the first is shown."""
    if b"AlgorithmicMedia" in data and (found := _SOURCE_TYPE.search(data)):  # hundreds of times faster where it is not
        yield f"DigitalSourceType: {found[0].decode()}"
    for field, value in _XMP.findall(data) if b"CreatorTool" in data or b"photoshop:Credit" in data else ():
        if name := _GENERATORS.search(value.decode("utf-8", "replace")):
            yield f"{field.decode()}: {name[0]}"
    for field, text in texts(data):
        if field.lower() in _OWN_KEYS:
            yield f"{field} in the file"
        elif field in ("parameters", "UserComment", "Comment", "ImageDescription") and _SETTINGS.search(text):
            yield f"{field}: settings of Stable Diffusion"
        elif field in ("prompt", "workflow") and _is_graph(text):
            yield f"{field}: a graph of ComfyUI"
        elif field in _NAMING and (name := _GENERATORS.search(text)):
            yield f"{field}: {name[0]}"


def _is_graph(text: str) -> bool:
    """Whether ``text`` is a workflow of ComfyUI: an object of nodes with a class, or with the list ``nodes``."""
    try:
        graph = json.loads(text)
    except (ValueError, RecursionError):
        return False
    if not isinstance(graph, dict):
        return False
    return "nodes" in graph or any(isinstance(node, dict) and "class_type" in node for node in graph.values())
