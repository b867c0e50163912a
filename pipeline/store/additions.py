"""RUN/added/: which sources came later. What was kept before them outranks their duplicates, and has its own shards.

00001.json   {"sources": [...]}: the first addition to a finished run, 00002.json the second ...
"""

from __future__ import annotations

import json
from collections.abc import Collection, Sequence

from configs.files import replace_text
from pipeline.store.run_folder import RunFolder


def generations(run: RunFolder) -> dict[str, int]:
    """Source -> number of the addition that it came with; a source that the run began with is not in it (0)."""
    found: dict[str, int] = {}
    for path in sorted(run.added.glob("[!.]*.json")):
        found |= dict.fromkeys(json.loads(path.read_text(encoding="utf-8"))["sources"], int(path.stem))
    return found


def write_addition(run: RunFolder, sources: Sequence[str], before: Collection[str]) -> None:
    """Note that ``sources`` join those of ``before``. An addition that was killed before the run knew it is replaced."""
    number = 1 + max((n for name, n in generations(run).items() if name in before), default=0)
    text = json.dumps({"sources": list(sources)}, ensure_ascii=False)
    replace_text(run.added / f"{number:05d}.json", text + "\n")
