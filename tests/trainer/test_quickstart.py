"""The quickstart's guards; its whole way is what `make quickstart` runs."""

from __future__ import annotations

from pathlib import Path

import pytest

from configs import UserError
from trainer.quickstart import quickstart


@pytest.mark.parametrize(
    ("before", "images", "message"),
    [
        ("/other", "own", "was made from the pictures in /other; .* OUT=runs/mine"),
        (None, "empty", "the folder is empty"),
        (None, "nowhere", "found nothing"),
    ],
)
def test_quickstart_refuses_pictures_it_cannot_take(
    tmp_path: Path, before: str | None, images: str, message: str
) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "own").mkdir()
    (tmp_path / "own" / "a.png").touch()
    if before:
        (tmp_path / "out").mkdir()
        (tmp_path / "out" / "run.yaml").write_text(f"sources:\n- {{kind: folder, name: photos, path: {before}}}\n")
    with pytest.raises(UserError, match=message):
        quickstart(tmp_path / "out", tmp_path / images)
