"""Which licence a font comes under, from its name table, and whether pictures may be made with it."""

from __future__ import annotations

from synth.fonts.face import Face

PHRASES = (  # of the name table's licence fields, most telling first
    ("OFL", "OFL-1.1"),
    ("Open Font License", "OFL-1.1"),
    ("openfontlicense.org", "OFL-1.1"),
    ("Bitstream", "Bitstream-Vera"),
    ("Apache License", "Apache-2.0"),
    ("apache.org/licenses", "Apache-2.0"),
    ("dejavu", "Bitstream-Vera"),
    ("Ubuntu Font Licence", "UFL-1.0"),
    ("Arphic Public License", "Arphic-1999"),
    ("GNU General Public License", "GPL"),
)
FREE = frozenset({"OFL-1.1", "Bitstream-Vera", "Apache-2.0", "UFL-1.0", "Arphic-1999", "GPL"})
COPYRIGHT, LICENSE, LICENSE_URL = 0, 13, 14  # ids of OpenType's name table
RESTRICTED = 2  # of OS/2's fsType: must not be embedded without the owner's permission


def license_of(face: Face) -> str:
    """SPDX id recognised in the name table, else the first words of its licence text, else unknown."""
    text = " ".join(filter(None, (face.name(LICENSE), face.name(LICENSE_URL))))
    for phrase, spdx in PHRASES:
        if phrase.lower() in f"{text} {face.name(COPYRIGHT)}".lower():
            return spdx
    return " ".join(text.split())[:40] or "unknown"


def refusal(face: Face) -> str | None:
    """Why a font should not be drawn with, or None where its licence allows it."""
    if face.embedding & RESTRICTED:
        return "its embedding bits (OS/2 fsType) say restricted"
    license_ = license_of(face)
    return None if license_ in FREE else f"its licence is '{license_}', none that is known to allow it"
