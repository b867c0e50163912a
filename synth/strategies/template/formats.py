"""How values are written in each language: money, dates, weekdays, times, numbers.

written(86, "money", "zh") ──> "¥86.00"
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from typing import Any

from synth.language import CaptionLanguage

_MONTHS = (
    *("January", "February", "March", "April", "May", "June"),
    *("July", "August", "September", "October", "November", "December"),
)
_WEEKDAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
_NUMERALS = "一二三四五六日"


def written(value: Any, form: str, language: CaptionLanguage) -> str:
    """A value in a form of ``_FORMS``, in Python's format language, or as it is. Raises ValueError for an unknown form."""
    if form in ("en", "zh"):
        english, _, chinese = getattr(value, "both", value).partition(" | ")
        return str((chinese or english) if form == "zh" else english).strip()
    if form in _FORMS:
        return _FORMS[form](value, language)
    return format(value, form) if form else str(value)


def _money(value: float, language: CaptionLanguage) -> str:
    sign = "-" if value < 0 else ""
    return f"{sign}{'¥' if language == 'zh' else '$'}{abs(value):,.2f}"


def _whole_money(value: float, language: CaptionLanguage) -> str:
    return f"{'¥' if language == 'zh' else '$'}{value:,.0f}"


def _date(day: date, language: CaptionLanguage) -> str:
    return (
        f"{day.year}年{day.month}月{day.day}日"
        if language == "zh"
        else f"{_MONTHS[day.month - 1]} {day.day}, {day.year}"
    )


def _short(day: date, language: CaptionLanguage) -> str:
    return f"{day.month}月{day.day}日" if language == "zh" else f"{_MONTHS[day.month - 1][:3]} {day.day}"


def _month(day: date, language: CaptionLanguage) -> str:
    return f"{day.month}月" if language == "zh" else _MONTHS[day.month - 1]


def _weekday(day: date, language: CaptionLanguage) -> str:
    return f"星期{_NUMERALS[day.weekday()]}" if language == "zh" else _WEEKDAYS[day.weekday()]


def _weekday_short(day: date, language: CaptionLanguage) -> str:
    return _NUMERALS[day.weekday()] if language == "zh" else _WEEKDAYS[day.weekday()][:3]


_FORMS: dict[str, Callable[[Any, CaptionLanguage], str]] = {
    "money": _money,
    "whole_money": _whole_money,
    "date": _date,
    "short_date": _short,
    "month": _month,
    "year": lambda day, _: str(day.year),
    "iso": lambda day, _: day.isoformat(),
    "weekday": _weekday,
    "weekday_short": _weekday_short,
    "clock": lambda minutes, _: f"{int(minutes) // 60 % 24:02}:{int(minutes) % 60:02}",
    "number": lambda value, _: f"{value:,}",
    "percent": lambda value, _: f"{value:g}%",
}
"""Names of forms: of numbers, of dates, and of times in minutes after midnight."""
