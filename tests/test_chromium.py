"""The browser of the tests tells what a page does wrong; else tests that find nothing would mean nothing."""

from __future__ import annotations

from pathlib import Path

from tests.chromium import visit


def test_a_visit_sees_width_messages_and_requests(tmp_path: Path) -> None:
    page = tmp_path / "page.html"
    page.write_text(
        '<div style="width:700px">wide</div><img src="http://example.invalid/x.png"><script>console.error("oh")</script>'
    )
    seen = visit(page, "return [innerWidth, document.documentElement.scrollWidth]", width=400)
    assert seen.result == [400, 708]
    assert "oh" in seen.console
    assert seen.requests == ["http://example.invalid/x.png"]
