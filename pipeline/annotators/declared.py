"""What a picture's metadata says of a model that made it, without proof.

    (field, text) of the file ──a name where programs name themselves─────┐
                              ──settings, graphs that generators write────┼──> "field: what gives it away", or None
                              ──XMP: source type, AI system, AIGC label───┘

A title or a description that speaks of a generator was not made by one: there only "made with ..." counts. Which fields,
keys and names give a generator away is chosen. XMP: DigitalSourceType (https://cv.iptc.org/newscodes/digitalsourcetype),
AISystemUsed and AIPromptInformation of the IPTC Photo Metadata Standard 2025.1, and the label AIGC that GB 45438-2025
makes Chinese services write.
"""

from __future__ import annotations

import html
import json
import re
from collections.abc import Sequence

_NAMES = (
    r"(?:stable.?diffusion|automatic1111|comfyui|invokeai|novelai|midjourney|dall.?e|adobe firefly|fooocus|swarmui"
    r"|draw things|dreamstudio|leonardo\.ai|ideogram|flux\.?1|google imagen|made with google ai|bing image creator)"
)
_NAME = re.compile(rf"(?<![a-z0-9]){_NAMES}(?![a-z])", re.IGNORECASE)
_MADE_WITH = re.compile(
    rf"(?:made|created|generated|rendered|produced) (?:with|by|using|in|via) (?:\w+ ){{0,2}}{_NAMES}(?![a-z])"
    rf"|^\W*{_NAMES}(?:\W*v?[\d.]+)?\W*$",
    re.IGNORECASE,
)
"""What a person could have written, too: a name alone, or after such words."""

_PROGRAMS = ("Software", "Make", "Model", "Source")
_PEOPLE = ("Artist", "Author", "Title", "Comment", "Credit", "Description", "ImageDescription")
"""Fields in which a program names itself, and those in which people write."""

_SETTINGS = re.compile(r"\bSteps: \d+.*\b(Sampler|CFG scale|Seed): |\"sui_image_params\"\s*:", re.DOTALL)
"""What Stable Diffusion's web interfaces write as ``parameters`` in a PNG, and as UserComment elsewhere."""
_JOB = re.compile(r"\bJob ID: [0-9a-f]{8}-[0-9a-f]{4}-")
"""Midjourney's last words in a description."""
_OWN_KEYS = (
    *("invokeai_metadata", "invokeai_graph", "sd-metadata", "dream", "fooocus_scheme", "generation_data"),
    "use_stable_diffusion_model",
)
"""PNG keywords that generators alone write."""
_GRAPH = re.compile(r"\s*(?:(?:prompt|workflow):\s*)?(?=\{)")
"""Where a graph of ComfyUI begins; WebP has its field's name in front."""

_XMP_TYPE = re.compile(
    r"DigitalSourceType(?:=[\"']|>)[^\"'<]*?((?:composite ?With ?)?Trained ?Algorithmic ?Media)", re.I
)
_XMP_PROGRAM = re.compile(
    r"(CreatorTool|photoshop:Credit|AISystemUsed|AIPromptInformation)(?:=[\"']|>)([^\"'<]{1,200})"
)
_AIGC = re.compile(r"\{[^{}]{0,2000}?[\"']Label[\"']\s*:\s*[\"']?([123])\b")
"""1: made by a model, 2: perhaps, 3: a service that passed it on suspects so (GB 45438-2025, appendix E)."""


def declared(fields: Sequence[tuple[str, str]]) -> str | None:
    """What says that a model made the picture; the first is shown. ``fields``: as configs/decoding/metadata.py has them."""
    return next((said for field, text in fields if (said := _of_field(field, text))), None)


def _of_field(field: str, text: str) -> str | None:
    if field == "XMP":
        return _of_xmp(text)
    if field.lower() in _OWN_KEYS:
        return f"{field} in the file"
    if _SETTINGS.search(text):
        return f"{field}: settings of Stable Diffusion"
    if _is_graph(text):
        return f"{field}: a graph of ComfyUI"
    if field == "AIGC" and (label := _AIGC.search(text)):
        return f"AIGC: label {label[1]}"
    if field == "Description" and _JOB.search(text):
        return f"{field}: a job of Midjourney"
    pattern = _NAME if field in _PROGRAMS else _MADE_WITH if field in _PEOPLE else None
    name = pattern.search(text) if pattern else None
    return name and f"{field}: {name[0]}"


def _of_xmp(packet: str) -> str | None:
    if found := _XMP_TYPE.search(packet):
        return f"DigitalSourceType: {found[1]}"
    plain = html.unescape(packet)
    if "AIGC" in plain and (label := _AIGC.search(plain, plain.index("AIGC"))):
        return f"AIGC: label {label[1]}"
    for field, value in _XMP_PROGRAM.findall(packet):
        if field.startswith("AI"):
            return f"{field}: {value}"
        if name := (_NAME if field == "CreatorTool" else _MADE_WITH).search(value):
            return f"{field}: {name[0]}"
    return None


def _is_graph(text: str) -> bool:
    """Whether ``text`` is a workflow of ComfyUI: an object of nodes with a class, or with the lists ``nodes`` and ``links``.
    One that is too long to be read whole shows its classes."""
    begin = _GRAPH.match(text)
    if begin is None or not ('"class_type"' in text or '"nodes"' in text):
        return False
    try:
        graph = json.loads(text[begin.end() :])
    except (ValueError, RecursionError):
        return re.search(r'"class_type"\s*:\s*"', text) is not None
    if not isinstance(graph, dict):
        return False
    is_drawn = isinstance(graph.get("nodes"), list) and "links" in graph
    return is_drawn or any(isinstance(node, dict) and "class_type" in node for node in graph.values())
