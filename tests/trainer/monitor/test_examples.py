"""Which rows of a dataset are shown while training goes on."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from configs import UserError
from tests.trainer.data.folders import put
from trainer.data.folder import open_data
from trainer.monitor.config import SamplesConfig
from trainer.monitor.examples import examples


def test_rows_whose_references_no_training_takes_are_not_shown(tmp_path: Path) -> None:
    """One too thin for Qwen2.5-VL, one with more than the model takes."""
    references = {"a": ["thin"], "b": ["one", "two", "one", "two"], "c": ["one", "two"], "d": ["one"]}
    for seed, name in enumerate(references):
        put(tmp_path / f"{name}.png", seed=seed)
    put(tmp_path / "refs" / "thin.png", width=2000, height=5)
    put(tmp_path / "refs" / "one.png", seed=7)
    put(tmp_path / "refs" / "two.png", seed=8)
    lines = [
        {"file_name": f"{name}.png", "instruction": f"To {name}.", "references": [f"refs/{r}.png" for r in of]}
        for name, of in references.items()
    ]
    (tmp_path / "metadata.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    data = open_data(tmp_path)
    config = SamplesConfig(rows=4, size=(64, 64))
    assert [e.prompt for e in examples(config, data, "task == 'ti2i'", 3)] == ["To c.", "To d."]
    assert [e.prompt for e in examples(config, data, "task == 'ti2i'", 1)] == ["To d."]
    with pytest.raises(
        UserError, match="no row with a text, and with references that the model takes, where id == 'x'"
    ):
        examples(config, data, "id == 'x'", 3)
