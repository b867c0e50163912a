"""Seconds of steps: added over calls, none for a step that broke off."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from pipeline.store.run_folder import RunFolder
from pipeline.store.timing import seconds_of, timed


def test_calls_are_added_and_a_broken_one_is_not(tmp_path: Path) -> None:
    run = RunFolder(tmp_path)
    assert seconds_of(run) == {}
    with timed(run, "collect"):
        pass
    with pytest.raises(OSError, match="disk"), timed(run, "annotate"):
        raise OSError("disk")
    assert list(seconds_of(run)) == ["collect"]
    run.timing.write_text(
        "".join(json.dumps({"step": s, "seconds": n}) + "\n" for s, n in [("b", 1.5), ("a", 2), ("b", 3)])
    )
    assert seconds_of(run) == {"b": 4.5, "a": 2.0}
    assert list(seconds_of(run)) == ["b", "a"]
