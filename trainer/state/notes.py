"""OUT/ray: what the command and the workers that Ray started for it tell each other, and Ray Train's own notes.

OUT/ray/told.json  a worker: what the user is to be told
        holding    a worker: there are steps that are not saved
        begun.json a worker: how many there are, and from which step they go on
        asked      the command: end, by this signal
        lock       held by the workers' rank 0
"""

from __future__ import annotations

import json
import shutil
import uuid
from pathlib import Path
from typing import Any

from configs import RunFailed, UserError
from configs.files import replace_text


class Notes:
    """Of the training in ``out``, on storage that all workers share."""

    def __init__(self, out: Path) -> None:
        self.folder = out / "ray"
        self.lock = self.folder / "lock"

    def tell(self, error: UserError | RunFailed) -> None:
        """Leave what ended a worker."""
        text = json.dumps({"user": isinstance(error, UserError), "text": str(error)})
        replace_text(self.folder / "told.json", text)

    def told(self) -> UserError | RunFailed | None:
        """What a worker has left."""
        try:
            found = json.loads((self.folder / "told.json").read_text("utf-8"))
        except FileNotFoundError:
            return None
        return UserError(found["text"]) if found["user"] else RunFailed(found["text"])

    def begin(self, workers: int, step: int) -> None:
        """Leave that ``workers`` train, from ``step`` on."""
        about = {"workers": workers, "step": step, "start": uuid.uuid4().hex}  # another one by a start
        replace_text(self.folder / "begun.json", json.dumps(about), durable=False)

    def begun(self) -> dict[str, Any] | None:
        """{"workers", "step", "start"} of those that began last."""
        try:
            return dict(json.loads((self.folder / "begun.json").read_text("utf-8")))
        except FileNotFoundError:
            return None

    def ask(self, signal: str) -> None:
        """Ask the workers to save and end. ``signal``: its name."""
        replace_text(self.folder / "asked", signal, durable=False)

    def asked(self) -> str | None:
        """The name of the signal by which they are asked."""
        try:
            return (self.folder / "asked").read_text("utf-8")
        except FileNotFoundError:
            return None

    def hold(self) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        (self.folder / "holding").touch()

    def holds(self) -> bool:
        """Whether a worker has steps that are not saved."""
        return (self.folder / "holding").exists()

    def release(self) -> None:
        (self.folder / "holding").unlink(missing_ok=True)

    def remove(self) -> None:
        shutil.rmtree(self.folder, ignore_errors=True)
