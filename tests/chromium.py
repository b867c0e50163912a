"""Pages in a real browser: open a file in headless Chromium, run a script in it, get back what it saw.

    file.html + script ──copy with the script at its end, in a frame──> chromium --dump-dom ──> Visit(result, console)

The frame is there because a window of headless Chromium is never narrower than 500 px. Every visit has a fresh profile and ends with its own processes. Nothing outside of the page can be
reached: host names resolve to nothing, and requests the page made are in ``Visit.requests``.
"""

from __future__ import annotations

import html
import json
import os
import re
import shutil
import signal
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

FLAGS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--hide-scrollbars",
    "--host-resolver-rules=MAP * ~NOTFOUND",
    "--enable-logging=stderr",
    "--allow-file-access-from-files",  # the page hands its result to the frame around it
)
_WHOLE_FRAMES = ("--disable-checker-imaging", "--run-all-compositor-stages-before-draw")
"""The compositor would draw a frame first, and the pictures into it when they are decoded."""
SECONDS = 240
_RESULT = re.compile(r'<pre id="visit-result"[^>]*>(.*?)</pre>', re.DOTALL)
_CONSOLE = re.compile(r"CONSOLE[:(]\d+\)?\] \"(.*)\", source:")


@dataclass(frozen=True)
class Visit:
    """``result``: what the script returned. ``console``: messages of the page. ``requests``: urls it asked for."""

    result: Any
    console: list[str]
    requests: list[str]


def visit(page: Path, script: str, width: int = 1280, height: int = 900, dark: bool = False) -> Visit:
    """Open a copy of ``page`` at ``width`` x ``height`` CSS px and evaluate ``script``, the body of an async JS function.

    Timers run ahead of the clock: what a page draws a little later is there when the script has waited for it."""
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder) / "page.html"
        copy.write_text(page.read_text(encoding="utf-8") + _probe(script), encoding="utf-8")
        frame = Path(folder) / "frame.html"
        frame.write_text(
            f'<body style="margin:0"><iframe src="page.html" width="{width}" height="{height}" frameborder="0">'
        )
        out, log = _chromium(
            folder, frame, ["--dump-dom", "--virtual-time-budget=10000"], max(width, 500), height, dark
        )
    found = _RESULT.search(out)
    if found is None:
        raise AssertionError(f"the page gave no result; chromium said:\n{log[-3000:]}")
    answer = json.loads(html.unescape(found.group(1)))
    if "error" in answer:
        raise AssertionError(f"the script failed in the page: {answer['error']}")
    return Visit(answer["result"], _CONSOLE.findall(log), answer["requests"])


def screenshot(page: Path, out: Path, width: int = 1280, height: int = 900, dark: bool = False) -> None:
    """Write a PNG of the top ``height`` px of ``page``, with every picture decoded: a busy machine would be too early."""
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder) / "page.html"
        eager = page.read_text(encoding="utf-8").replace(' loading="lazy"', ' decoding="sync"')
        charts = '<script>dispatchEvent(new Event("beforeprint"))</script>'  # else drawn when they come into sight
        copy.write_text(eager + charts, encoding="utf-8")
        action = [f"--screenshot={out}", "--virtual-time-budget=5000", *_WHOLE_FRAMES]
        _, log = _chromium(folder, copy, action, width, height, dark)
    assert out.exists(), f"chromium took no picture; it said:\n{log[-3000:]}"


def _probe(script: str) -> str:
    return f"""<script>
addEventListener("load", async () => {{
  let answer;
  try {{ answer = {{ result: (await (async () => {{ {script} }})()) ?? null }}; }} catch (error) {{ answer = {{ error: String(error) }}; }}
  answer.requests = performance.getEntriesByType("resource").map((e) => e.name).filter((n) => !n.startsWith("data:"));
  const pre = parent.document.createElement("pre");
  pre.id = "visit-result";
  pre.textContent = JSON.stringify(answer);
  parent.document.body.append(pre);
}});
</script>"""


def _chromium(folder: str, page: Path, action: list[str], width: int, height: int, dark: bool) -> tuple[str, str]:
    program = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    assert program, "the tests of pages want a browser; install it with: sudo apt-get install chromium"
    look = ["--blink-settings=preferredColorScheme=0"] if dark else []
    command = [
        program,
        *FLAGS,
        *look,
        f"--user-data-dir={folder}/profile",
        f"--window-size={width},{height}",
        *action,
        page.resolve().as_uri(),
    ]
    process = subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, start_new_session=True, cwd=folder
    )
    try:
        out, log = process.communicate(timeout=SECONDS)
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
            process.communicate()
    return out.decode("utf-8", "replace"), log.decode("utf-8", "replace")
