"""Numbers as people read them: in reports, on the terminal, on the axes of charts. One place for the whole project."""

from __future__ import annotations

import math


def number(value: float | None) -> str:
    """1234567 as 1,234,567; a fraction with three significant digits; a dash for nothing."""
    if value is None:
        return "–"
    if float(value).is_integer():
        return f"{int(value):,}"
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.3g}"


def percent(fraction: float, digits: int = 1) -> str:
    """0.123 as 12.3 %; a fraction above 0 never reads as 0."""
    limit = 10.0**-digits
    if 0 < 100 * fraction < limit:
        return f"< {limit:g} %"
    return f"{100 * fraction:.{digits}f} %"


def duration(seconds: float) -> str:
    """4.2 s, 3 min 10 s, 2 h 5 min."""
    minutes, rest = divmod(round(seconds), 60)
    if not minutes:
        return f"{seconds:.1f} s"
    return f"{minutes} min {rest} s" if minutes < 60 else f"{minutes // 60} h {minutes % 60} min"


def size(octets: float) -> str:
    """A number of bytes in decimal units."""
    for limit, unit in ((1e9, "GB"), (1e6, "MB"), (1e3, "kB")):
        if octets >= limit:
            return f"{octets / limit:.1f} {unit}"
    return f"{octets:.0f} bytes"


def short(value: float) -> str:
    """A number for a label: three significant digits, k and M from ten thousand on."""
    if not math.isfinite(value):
        return "not finite"
    size = abs(value)
    for limit, unit in ((1e9, "G"), (1e6, "M"), (1e4, "k")):
        if size >= limit:
            return f"{value / (1e3 if unit == 'k' else limit):.3g}{unit}"
    if size >= 100 or value == int(value):
        return f"{value:.0f}"
    if size < 0.001:  # 2.5e-4, not 0.00025 and not 2.5e-04
        mantissa, exponent = f"{value:.2e}".split("e")
        return f"{float(mantissa):g}e{int(exponent)}"
    return f"{value:.3g}"
