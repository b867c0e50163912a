"""Which license a font comes under, from its name table, and whether pictures may be made with it."""

from __future__ import annotations

from synth.fonts.face import Face

_PHRASES = (  # of the name table's license fields, most telling first
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
_FREE = frozenset({"OFL-1.1", "Bitstream-Vera", "Apache-2.0", "UFL-1.0", "Arphic-1999", "GPL"})
_COPYRIGHT, _LICENSE, _LICENSE_URL = 0, 13, 14  # ids of OpenType's name table
_RESTRICTED = 2  # of OS/2's fsType: must not be embedded without the owner's permission


def license_of(face: Face) -> str:
    """SPDX id recognized in the name table, else the first words of its license text, else unknown."""
    text = " ".join(filter(None, (face.name(_LICENSE), face.name(_LICENSE_URL))))
    for phrase, spdx in _PHRASES:
        if phrase.lower() in f"{text} {face.name(_COPYRIGHT)}".lower():
            return spdx
    return " ".join(text.split())[:40] or "unknown"


def refusal(face: Face) -> str | None:
    """Why a font should not be drawn with, or None where its license allows it."""
    if face.embedding & _RESTRICTED:
        return "its embedding bits (OS/2 fsType) say restricted"
    license_ = license_of(face)
    return None if license_ in _FREE else f"its license is '{license_}', none that is known to allow it"
