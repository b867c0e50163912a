"""``python -m tests.pipeline.run_inline ...``: ``python -m pipeline ...`` without Ray, the guarded child a fork.

For tests that need a run and are not about how its work is spread: Ray's start costs ten times what a small run does.
"""

from __future__ import annotations

import sys

import pytest

from configs import command
from pipeline.__main__ import main
from pipeline.sandbox import guard
from tests.pipeline.chaos.lives import ForkedChild
from tests.pipeline.inline import work_inline

if __name__ == "__main__":
    with pytest.MonkeyPatch.context() as patch:
        work_inline(patch, guarded=True)
        patch.setattr(guard, "_Child", ForkedChild)
        sys.exit(command(main))
