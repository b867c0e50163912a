"""How characters stand in vertical text: the property Vertical_Orientation of Unicode Standard Annex #50.

Upright (U), turned by 90 degrees clockwise (R), or in a form of their own: Tu and Tr are upright and turned where a
font has none. Only what may be drawn here is listed: scripts from left to right, symbols, and those of East Asia.
"""

from __future__ import annotations

from bisect import bisect_right
from functools import lru_cache
from typing import Literal

Orientation = Literal["U", "R", "Tu", "Tr"]

_RANGES = """
00A7 00A7 U, 00A9 00A9 U, 00AE 00AE U, 00B1 00B1 U, 00BC 00BE U, 00D7 00D7 U, 00F7 00F7 U, 02EA 02EB U, 1100 11FF U,
2016 2016 U, 2020 2021 U, 2030 2031 U, 203B 203C U, 2042 2042 U, 2047 2049 U, 2051 2051 U, 2100 2101 U, 2103 2109 U,
210F 210F U, 2113 2114 U, 2116 2117 U, 211E 2123 U, 2125 2125 U, 2127 2127 U, 2129 2129 U, 212E 212E U, 2135 213F U,
2145 214A U, 214C 214D U, 214F 218F U, 221E 221E U, 2234 2235 U, 2300 2307 U, 230C 231F U, 2324 2328 U, 2329 232A Tr,
232B 232B U, 237D 239A U, 23BE 23CD U, 23CF 23CF U, 23D1 23DB U, 23E2 2422 U, 2424 24FF U, 25A0 2619 U, 2620 2767 U,
2776 2793 U, 2B12 2B2F U, 2B50 2B59 U, 2BB8 2BFF U, 2E80 3000 U, 3001 3002 Tu, 3003 3007 U, 3008 3011 Tr, 3012 3013 U,
3014 301F Tr, 3020 302F U, 3030 3030 Tr, 3031 3040 U, 3041 3041 Tu, 3042 3042 U, 3043 3043 Tu, 3044 3044 U,
3045 3045 Tu, 3046 3046 U, 3047 3047 Tu, 3048 3048 U, 3049 3049 Tu, 304A 3062 U, 3063 3063 Tu, 3064 3082 U,
3083 3083 Tu, 3084 3084 U, 3085 3085 Tu, 3086 3086 U, 3087 3087 Tu, 3088 308D U, 308E 308E Tu, 308F 3094 U,
3095 3096 Tu, 3097 309A U, 309B 309C Tu, 309D 309F U, 30A0 30A0 Tr, 30A1 30A1 Tu, 30A2 30A2 U, 30A3 30A3 Tu,
30A4 30A4 U, 30A5 30A5 Tu, 30A6 30A6 U, 30A7 30A7 Tu, 30A8 30A8 U, 30A9 30A9 Tu, 30AA 30C2 U, 30C3 30C3 Tu,
30C4 30E2 U, 30E3 30E3 Tu, 30E4 30E4 U, 30E5 30E5 Tu, 30E6 30E6 U, 30E7 30E7 Tu, 30E8 30ED U, 30EE 30EE Tu,
30EF 30F4 U, 30F5 30F6 Tu, 30F7 30FB U, 30FC 30FC Tr, 30FD 3126 U, 3127 3127 Tu, 3128 31EF U, 31F0 31FF Tu,
3200 32FE U, 32FF 32FF Tu, 3300 3357 Tu, 3358 337A U, 337B 337F Tu, 3380 A4CF U, A960 A97F U, AC00 D7FF U,
E000 FAFF U, FE10 FE1F U, FE30 FE48 U, FE50 FE52 Tu, FE53 FE57 U, FE59 FE5E Tr, FE5F FE62 U, FE67 FE6F U,
FF01 FF01 Tu, FF02 FF07 U, FF08 FF09 Tr, FF0A FF0B U, FF0C FF0C Tu, FF0E FF0E Tu, FF0F FF19 U, FF1A FF1B Tr,
FF1F FF1F Tu, FF20 FF3A U, FF3B FF3B Tr, FF3C FF3C U, FF3D FF3D Tr, FF3E FF3E U, FF3F FF3F Tr, FF40 FF5A U,
FF5B FF60 Tr, FFE0 FFE2 U, FFE3 FFE3 Tr, FFE4 FFE7 U, FFFC FFFD U, 1F000 1F1FF U, 1F200 1F201 Tu, 1F202 1FAFF U,
20000 3FFFD U
"""
_ROWS = [(int(low, 16), int(high, 16), kind) for low, high, kind in (row.split() for row in _RANGES.split(","))]
_LOWS = [low for low, _, _ in _ROWS]
_UPRIGHT_MARKS = "：；"
"""Tr by the annex; Chinese sets them upright (clreq, positions of punctuation marks in vertical writing)."""


@lru_cache(maxsize=16384)
def orientation(character: str) -> Orientation:
    """How one character stands in vertical text; R for whatever no range names."""
    code = ord(character)
    row = bisect_right(_LOWS, code) - 1
    if row >= 0 and _ROWS[row][0] <= code <= _ROWS[row][1]:
        return _ROWS[row][2]  # type: ignore[return-value]
    return "R"


def is_turned(character: str) -> bool:
    """Whether a character lies on its side in vertical Chinese, by a form of its font or by turning it."""
    return orientation(character) in ("R", "Tr") and character not in _UPRIGHT_MARKS
