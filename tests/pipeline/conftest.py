from __future__ import annotations

import pytest

from pipeline.ocr.reader import Reader


@pytest.fixture(scope="session")
def reader(tmp_path_factory: pytest.TempPathFactory) -> Reader:
    """One loaded reader for all tests, its model folders built afresh."""
    built = Reader(cache=tmp_path_factory.mktemp("ocr-cache"))
    built.load()
    return built
