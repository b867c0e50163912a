"""Whether a file says of itself that a machine made the picture: the report keeps AI-made pictures out of its data.

    bytes ──C2PA manifest (c2pa-python), its signature checked─────────> signed
          ──XMP, PNG text, EXIF, comments (declared.py)──────────────> declared
          ──nothing of it────────────────────────────────────────────> none

C2PA: https://spec.c2pa.org, action ``digitalSourceType``; the vocabulary: https://cv.iptc.org/newscodes/digitalsourcetype.
Nothing is fetched: neither remote manifests nor revocation lists, and a signer need not be known, only the signature
be whole. A manifest that does not hold counts as declared. What says nothing may be AI-made all the same: ``none`` is
no proof.
"""

from __future__ import annotations

import io
import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from configs.decoding.metadata import texts
from configs.files import lacking
from pipeline import schema
from pipeline.annotators.base import Annotator, AnnotatorConfig, Picture
from pipeline.annotators.declared import declared

if TYPE_CHECKING:
    from configs.pictures import Limits

_SOURCE_TYPE = re.compile(rb"digitalsourcetype/(?:trained|compositeWithTrained)AlgorithmicMedia", re.IGNORECASE)
"""Of the IPTC vocabulary: made, or in part made, by a trained model."""

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
    version = "2"
    input: ClassVar[Literal["bytes"]] = "bytes"
    columns = tuple(schema.PROVENANCE.values())

    def __init__(self) -> None:
        self._context: Any = None

    def missing(self) -> str | None:
        return lacking("c2pa")

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
        said = declared(texts(data)) or _of_manifest(data)
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


def _of_manifest(data: bytes) -> str | None:
    """What a manifest says whose signature does not hold, or that cannot be read."""
    found = _SOURCE_TYPE.search(data) if b"c2pa" in data else None
    return found and f"C2PA that does not hold: {found[0].decode()}"


def _is_made(manifest: dict[str, Any]) -> bool:
    """Whether an action of the manifest names a source type of trained models."""
    actions = [a["data"] for a in manifest.get("assertions", ()) if str(a.get("label", "")).startswith("c2pa.actions")]
    return _SOURCE_TYPE.search(json.dumps(actions).encode()) is not None


def _generator(manifest: dict[str, Any]) -> str:
    names = [info.get("name") for info in manifest.get("claim_generator_info") or ()]
    return f"C2PA: {next((n for n in names if n), None) or manifest.get('claim_generator') or 'no name'}"
