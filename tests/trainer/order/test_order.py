"""The order: pure, exact in its shares, coverage without repetition, clear about empty phases."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest

from configs import UserError
from trainer.order.curriculum import Phase, Share
from trainer.order.left_out import LeftOut
from trainer.order.order import Order


def manifest(rows: int = 100, **columns: list) -> pa.Table:
    base = {
        "width": [64] * rows,
        "height": [64] * rows,
        "task": ["t2i"] * rows,
        "repeats": pa.array([1.0] * rows, pa.float32()),
        "level": [0] * 30 + [1] * (rows - 30),
    }
    return pa.table(base | columns)


def phase(steps: int = 20, where: str = "level >= 0", tokens: int = 1024, **more: object) -> Phase:
    return Phase(str(more.pop("name", "p")), steps, (64,), where, tokens, **more)  # type: ignore[arg-type]


def test_a_batch_has_its_tokens_and_only_rows_of_the_phase() -> None:
    order = Order(manifest(), [phase(where="level == 1")], seed=0)
    for step in range(20):
        batch = order.batch(step)
        assert batch.tokens.sum() == 1024
        assert (batch.rows >= 30).all()


def test_every_row_once_per_epoch_and_epochs_in_new_order() -> None:
    order = Order(manifest(), [phase(steps=50, tokens=160)], seed=1)  # 10 samples a step: an epoch is 10 steps
    drawn = np.concatenate([order.batch(step).rows for step in range(50)])
    for epoch in range(5):
        assert sorted(drawn[epoch * 100 : (epoch + 1) * 100].tolist()) == list(range(100))
    assert drawn[:100].tolist() != drawn[100:200].tolist()


def test_steps_stand_alone_and_seeds_differ() -> None:
    first, again = (Order(manifest(), [phase(), phase(name="q")], seed=3) for _ in range(2))
    forwards = [first.batch(s).rows.tolist() for s in range(40)]
    assert [again.batch(s).rows.tolist() for s in reversed(range(40))][::-1] == forwards
    assert [Order(manifest(), [phase()], seed=4).batch(s).rows.tolist() for s in range(20)] != forwards[:20]
    assert [first.batch(s).phase for s in (0, 19, 20, 39)] == [0, 0, 1, 1]
    with pytest.raises(IndexError):
        first.batch(40)


def test_a_mixture_gives_its_shares_and_ramps() -> None:
    mixture = (Share("level == 0", 3, end=0), Share("level == 1", 1, end=3))
    order = Order(manifest(), [phase(steps=101, mixture=mixture)], seed=0)
    shares = np.array([(order.batch(s).rows < 30).mean() for s in range(101)])
    # a batch holds 64 samples: a share is one of them more or less, and ramps by hundredths
    assert shares[0] == pytest.approx(0.75, abs=0.02)
    assert shares[-1] == 0
    assert shares[33] == pytest.approx(3 * 0.67 / (3 * 0.67 + 1 + 2 * 0.33), abs=0.03)
    assert (np.diff(shares) < 0.04).all()


def test_a_share_takes_what_no_earlier_one_did_and_the_rest_is_told() -> None:
    mixture = (Share("level == 1", 1), Share("width == 64 and level == 0", 1))
    table = manifest(level=[0] * 30 + [1] * 60 + [2] * 10)
    order = Order(table, [phase(mixture=mixture)], seed=0)
    assert order.phases[0].left_out == LeftOut(unknown=0, unshared=10, small=0)
    assert {int(r) for s in range(20) for r in order.batch(s).rows} <= set(range(90))


def test_repeats_are_honoured_within_a_share() -> None:
    repeats = pa.array([0.5] * 50 + [1.5] * 50, pa.float32())
    order = Order(manifest(repeats=repeats), [phase(steps=400, tokens=160)], seed=0)
    counts = np.bincount(np.concatenate([order.batch(s).rows for s in range(400)]), minlength=100)
    assert counts[50:].mean() / counts[:50].mean() == pytest.approx(3.0, abs=0.05)


def test_sizes_and_resolutions_share_the_tokens() -> None:
    table = manifest(width=[64] * 50 + [128] * 50, recipe=["glyphs"] * 100)  # drawn so: not too small at 128
    two = Phase("p", 60, (64, 128), "level >= 0", 2048)
    order = Order(table, [two], seed=0)
    batches = [order.batch(s) for s in range(60)]
    total = sum(int(b.tokens.sum()) for b in batches)
    assert total / 60 == pytest.approx(2048, rel=0.02)  # a picture of 32 tokens more or less
    assert all(abs(int(b.tokens.sum()) - 2048) <= 150 for b in batches)
    assert {tuple(b) for batch in batches for b in batch.buckets.tolist()} >= {(64, 64), (128, 64)}


def test_every_step_has_a_sample_though_a_batch_holds_hardly_one() -> None:
    table = manifest(width=[64] * 50 + [128] * 50)
    order = Order(
        table, [phase(steps=300, tokens=32, mixture=(Share("width == 64", 1), Share("width == 128", 1)))], seed=0
    )
    batches = [order.batch(s) for s in range(300)]
    assert all(len(b.rows) >= 1 for b in batches)
    assert sum(int(b.tokens.sum()) for b in batches) / 300 == pytest.approx(
        32, rel=0.05
    )  # what a batch lacks the next ones get


def test_a_picture_that_would_grow_is_left_out_at_that_resolution() -> None:
    table = manifest(width=[60] * 10 + [200] * 90, height=[60] * 10 + [200] * 90)
    order = Order(table, [Phase("p", 20, (64, 192), "level >= 0", 2048)], seed=0)
    batches = [order.batch(s) for s in range(20)]
    large = np.concatenate([b.rows[b.buckets[:, 0] == 192] for b in batches])
    small = np.concatenate([b.rows[b.buckets[:, 0] == 64] for b in batches])
    assert len(large)
    assert large.min() >= 10
    assert small.min() < 10
    with pytest.raises(UserError, match="phase p: none of its pictures reaches 512 px without growing"):
        Order(table, [Phase("p", 20, (512,), "level >= 0", 2048)], seed=0)
    assert Order(table, [Phase("p", 20, (192,), "level >= 0", 2048)], seed=0).phases[0].left_out.small == 10


def test_tasks_do_not_share_a_stratum() -> None:
    order = Order(manifest(task=["t2i"] * 60 + ["ti2i"] * 40), [phase()], seed=0)
    assert {(s.task, s.count) for s in order.phases[0].strata} == {("t2i", 60), ("ti2i", 40)}
    batch = order.batch(3)
    assert (batch.tasks == np.where(batch.rows < 60, "t2i", "ti2i")).all()


def test_an_optional_phase_without_rows_is_left_out_and_told() -> None:
    nothing = phase(where="level > 5", name="q", optional=True)
    order = Order(manifest(), [nothing, phase()], seed=0)
    assert order.steps == 20
    assert [p.phase.name for p in order.phases] == ["p"]
    assert "phase q: its predicate" in order.without[0]
    with pytest.raises(UserError, match="no row for any of them"):
        Order(manifest(), [nothing], seed=0)


def test_an_unknown_row_is_not_in_the_phase() -> None:
    order = Order(manifest(level=[None] * 30 + [1] * 70), [phase()], seed=0)
    assert order.phases[0].rows == 70
    assert order.phases[0].left_out.unknown == 30


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        (phase(where="level > 5"), "phase p: its predicate 'level > 5' keeps none of 100 rows"),
        (phase(where="levl > 5"), "phase p, where: unknown column 'levl'.*level"),
        (
            phase(mixture=(Share("level == 9", 1), Share("level == 1", 1))),
            "phase p: no row of the phase is 'level == 9'",
        ),
        (phase(tokens=8), "phase p: field 'tokens': a batch of 8 image tokens does not hold one picture of 64 x 64 px"),
    ],
)
def test_a_phase_without_rows_is_named(wrong: Phase, message: str) -> None:
    with pytest.raises(UserError, match=message):
        Order(manifest(), [wrong], seed=0)
