"""Quality: CLIPScore and a distance of features, on held-out rows of a dataset."""

from pathlib import Path

import pytest

from configs import UserError
from tests.pipeline.annotators import tiny_clip
from trainer.evaluate.config import EvaluateConfig
from trainer.evaluate.config import Quality as QualityConfig
from trainer.evaluate.suites.quality import Quality


@pytest.fixture(scope="module")
def opened(small_run: Path, tmp_path_factory: pytest.TempPathFactory) -> Quality:
    clip = tiny_clip.siglip(tmp_path_factory.mktemp("clip") / "siglip")
    wanted = QualityConfig(data=str(small_run / "dataset"), count=4)
    return Quality(EvaluateConfig(quality=wanted, size=(64, 64), clip=str(clip)))


def test_rows_are_photographs_with_captions_at_their_bucket(opened):
    items = opened.items()
    assert len(items) == 4
    assert all("cloud" in item.prompt and (item.width, item.height) == (64, 64) for item in items)


def test_the_very_pictures_are_at_no_distance_and_others_are(opened):
    items = opened.items()
    targets = list(opened.real(items))
    same = opened.together(items, targets)
    assert list(same.figures) == ["fd_efficientnet"]
    assert same.figures["fd_efficientnet"] == pytest.approx(0, abs=1e-3)
    assert any("no FID" in note for note in same.notes)
    assert any("far too high" in note for note in same.notes)
    other = opened.together(items, [255 - target for target in targets])
    assert other.figures["fd_efficientnet"] > 1
    scores = [judged["clip_score"][0] for judged in opened.look(items, targets)]
    assert all(0 <= score <= 2.5 for score in scores)
    assert len(set(scores)) > 1


def test_what_is_not_there_is_named(small_run, tmp_path):
    with pytest.raises(UserError, match="name a packed dataset"):
        Quality(EvaluateConfig()).items()
    none = QualityConfig(data=str(small_run / "dataset"), where="width < 0")
    with pytest.raises(UserError, match="0 rows of"):
        Quality(EvaluateConfig(quality=none)).items()
    with pytest.raises(UserError, match="field 'clip': '/nowhere' is no folder"):
        Quality(EvaluateConfig(clip="/nowhere")).look([], [])
    weights = tmp_path / "inception.pth"
    weights.write_bytes(b"")
    broken = Quality(EvaluateConfig(quality=QualityConfig(inception=str(weights))))
    with pytest.raises(UserError, match=r"quality.inception': .*(not installed|cannot be loaded)"):
        broken.together([], [])
