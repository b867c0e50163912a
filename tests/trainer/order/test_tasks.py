"""What rows are trained as, with which references, and which rows are left out, counted by reason."""

from __future__ import annotations

import dataclasses

import numpy as np
import pyarrow as pa
import pytest

from configs import UserError
from model.reference_sizes import fitted_size
from trainer.order.curriculum import Phase, ReferenceConfig, Share
from trainer.order.left_out import LeftOut
from trainer.order.order import Batch, Order

SMALL = ReferenceConfig(vae_area=128 * 128, vision_area=96 * 96)


def manifest(rows: list[dict[str, object]]) -> pa.Table:
    """A manifest of pack's columns; each row says what differs from a good t2i row."""
    base = {
        "width": 256,
        "height": 256,
        "task": "t2i",
        "repeats": 1.0,
        "recipe": None,
        "text_level": 0,
        "n_captions": 1,
        "n_instructions": 0,
        "text_tokens": 40,
        "quoted_box": None,
        "ref_sizes": None,
    }
    types = {"repeats": pa.float32(), "recipe": pa.string(), "text_level": pa.int8()}
    types |= {"quoted_box": pa.list_(pa.int32()), "ref_sizes": pa.list_(pa.int32())}
    whole = [base | row for row in rows]
    return pa.table({name: pa.array([row[name] for row in whole], types.get(name)) for name in base})


def edit(*references: tuple[int, int], **more: object) -> dict[str, object]:
    sizes = [side for size in references for side in size]
    return {"task": "ti2i", "n_captions": 0, "n_instructions": 1, "ref_sizes": sizes or None, "text_level": 1} | more


def phase(*mixture: Share, **more: object) -> Phase:
    defaults = {"name": "p", "steps": 40, "resolutions": (256,), "where": "width > 0", "tokens": 4096}
    return Phase(**(defaults | {"references": SMALL, "mixture": mixture} | more))  # type: ignore[arg-type]


def left_out(order: Order) -> dict[str, int]:
    return {name: n for name, n in dataclasses.asdict(order.phases[0].left_out).items() if n}


def batches(order: Order) -> list[Batch]:
    return [order.batch(step) for step in range(order.steps)]


def test_rows_that_cannot_be_trained_as_what_they_are_are_counted_by_reason() -> None:
    rows = [
        {},
        {"n_captions": 0},
        edit((256, 256)),
        edit((256, 256), n_instructions=0),
        edit(),
        edit(*[(256, 256)] * 4),
        edit((1000, 4)),
        {"width": 64, "height": 64},
        {"width": 16, "height": 16},
        {"width": 4096, "height": 16},
        {"width": 9000, "height": 256, "quoted_box": [0, 0, 9000, 256]},
        {"repeats": 0.0},
        {"task": "t2v"},
    ]
    order = Order(manifest(rows), [phase()], seed=0)
    assert {int(r) for batch in batches(order) for r in batch.rows} == {0, 2}
    expected = {"no_caption": 1, "no_instruction": 1, "no_reference": 1, "many_references": 1, "thin_reference": 1}
    assert left_out(order) == expected | {"small": 2, "thin": 1, "cut": 1, "undrawn": 1, "other_task": 1}
    told = "\n".join(order.remarks())
    assert "phase p: 1 rows not drawn: t2i without a valid caption: it would train as the empty prompt" in told
    assert "more references than the base model takes (3)" in told
    assert len(order.remarks()) == len(left_out(order))


def test_the_single_style_takes_one_reference() -> None:
    table = manifest([edit((256, 256)), edit((256, 256), (300, 200))])
    order = Order(table, [phase()], seed=0, style="single")
    assert left_out(order) == {"many_references": 1}
    assert order.phases[0].rows == 1


def test_a_batch_says_at_which_size_the_vae_sees_references_and_counts_them() -> None:
    rows = [{}, edit((300, 200)), edit((64, 64), (96, 160), (500, 100)), {"text_level": None, "task": "i2i"}]
    order = Order(manifest(rows), [phase()], seed=0)
    seen = {}
    for batch in batches(order):
        assert batch.references.dtype == batch.text_tokens.dtype == np.int32
        assert batch.levels.dtype == np.int8
        for slot, row in enumerate(batch.rows.tolist()):
            seen[row] = (
                batch.tasks[slot],
                batch.references[slot].tolist(),
                int(batch.tokens[slot]),
                int(batch.levels[slot]),
            )
        assert (batch.tokens == batch.target_tokens + (batch.references // 16).prod(axis=2).sum(axis=1)).all()
        assert (batch.loads == batch.tokens + batch.text_tokens).all()
    fitted = [list(fitted_size(*size, 128 * 128)) for size in ((300, 200), (64, 64), (96, 160), (500, 100))]
    none = [0, 0]
    tokens = [w * h // 256 for w, h in fitted]
    assert seen == {
        0: ("t2i", [none] * 3, 256, 0),
        1: ("ti2i", [fitted[0], none, none], 256 + tokens[0], 1),
        2: ("ti2i", fitted[1:], 256 + sum(tokens[1:]), 1),
        3: ("i2i", [[256, 256], none, none], 512, -1),
    }


def test_references_are_of_the_released_sizes_unless_a_phase_says_otherwise() -> None:
    table = manifest([edit((1000, 1000))])
    released = phase(references=ReferenceConfig(), tokens=9000)
    multi, single = (Order(table, [released], 0, style=style).batch(0) for style in ("multi", "single"))
    assert multi.references[0, 0].tolist() == single.references[0, 0].tolist() == [1024, 1024]
    assert multi.text_tokens[0] == 40 + 7 + 196  # text, "Picture 1: " with its two marks, vision tokens of 384^2
    assert single.text_tokens[0] == 40 + 2 + 1369  # of 1024^2


def test_text_is_bounded_by_what_is_kept_of_it() -> None:
    table = manifest([{"text_tokens": 900}, edit((256, 256), text_tokens=900), {"task": "i2i", "text_tokens": 900}])
    order = Order(table, [phase()], 0, max_text_tokens=100, instruction_tokens=20)
    vision = 9  # of 96^2: 3.4 tokens a side
    found = {(b.tasks[i], int(b.text_tokens[i])) for b in batches(order) for i in range(len(b.rows))}
    assert found == {("t2i", 100), ("ti2i", 100 + vision), ("i2i", 100 + vision)}  # a row of I2I itself brings its own


def test_rows_whose_text_will_be_cut_are_counted() -> None:
    """With what announces references; of what a phase leaves out, and of another task's fixed instruction, nothing."""
    rows = [
        *({"text_tokens": n} for n in (100, 101, 900)),
        *(edit((256, 256), text_tokens=n) for n in (93, 94)),
        *({"task": "i2i", "n_instructions": 1, "text_tokens": n} for n in (93, 94)),
        {"text_tokens": 900, "repeats": 0.0},
        {"text_tokens": 900, "n_captions": 0},
    ]
    order = Order(manifest(rows), [phase()], 0, max_text_tokens=100)
    assert order.phases[0].long_texts == 4
    line = "4 rows have a text of more than 100 tokens, which is cut there (field 'max_text_tokens')"
    assert line in order.losses(order.phases[0])
    assert f"phase p: {line}" in order.remarks()
    as_i2i = Order(manifest(rows[:3]), [phase(Share("width > 0", 1.0, task="i2i"))], 0, max_text_tokens=100)
    assert as_i2i.phases[0].long_texts == 0
    assert Order(manifest(rows), [phase()], 0, max_text_tokens=900).phases[0].long_texts == 0


def test_a_share_trains_its_rows_as_its_task_and_shares_rows_with_other_tasks() -> None:
    rows = [{}, {"n_captions": 0}, edit((256, 256), n_captions=1), edit((256, 256))]
    shares = (
        Share("task == 't2i'", 8.5, task="t2i"),
        Share("task == 'ti2i'", 1, task="ti2i"),
        Share("task == 't2i'", 0.5, task="i2i"),  # the same rows, and the one without a caption
    )
    order = Order(manifest(rows), [phase(*shares, steps=200)], seed=0)
    drawn: dict[str, set[int]] = {}
    counts: dict[str, int] = {}
    for batch in batches(order):
        for task in np.unique(batch.tasks).tolist():
            mine = batch.rows[batch.tasks == task]
            drawn.setdefault(task, set()).update(mine.tolist())
            counts[task] = counts.get(task, 0) + len(mine)
    assert drawn == {"t2i": {0}, "ti2i": {2, 3}, "i2i": {0, 1}}
    total = sum(counts.values())
    assert [counts[task] / total for task in ("t2i", "ti2i", "i2i")] == pytest.approx([0.85, 0.1, 0.05], abs=2e-3)
    assert left_out(order) == {"no_caption": 1}
    as_t2i = Order(manifest(rows), [phase(Share("task == 'ti2i'", 1, task="t2i"))], seed=0)
    assert {int(r) for b in batches(as_t2i) for r in b.rows} == {2}
    assert left_out(as_t2i) == {"unshared": 2, "no_caption": 1}


def test_an_optional_share_without_rows_leaves_its_weight_to_its_task() -> None:
    shares = (
        Share("text_level == 0", 5, task="t2i"),
        Share("text_level == 4", 3.5, task="t2i", optional=True),
        Share("task == 'ti2i'", 1, task="ti2i", optional=True),
        Share("text_level == 0", 1.5, task="i2i"),
    )
    order = Order(manifest([{}] * 50), [phase(*shares, steps=100)], seed=0)
    tasks = np.concatenate([b.tasks for b in batches(order)])
    assert (tasks == "t2i").mean() == pytest.approx(0.85, abs=2e-3)
    assert [line for line in order.remarks() if "optional" in line] == [
        "left out, being optional: phase p: no row is 'text_level == 4'",
        "left out, being optional: phase p: no row is 'task == 'ti2i''",
    ]
    needed = tuple(dataclasses.replace(share, optional=False) for share in shares)
    with pytest.raises(UserError, match=r"no row of the phase is 'text_level == 4' .*make it optional"):
        Order(manifest([{}] * 50), [phase(*needed)], seed=0)


def test_a_step_whose_shares_all_have_weight_0_is_refused() -> None:
    shares = (
        Share("text_level == 0", 1, end=0, task="t2i"),
        Share("text_level == 4", 0, end=1, task="ti2i", optional=True),
    )
    with pytest.raises(UserError, match="field 'mixture': at step 39 of the phase"):
        Order(manifest([{}]), [phase(*shares)], seed=0)


def test_a_phase_left_with_nothing_says_why() -> None:
    with pytest.raises(
        UserError, match=r"phase p: none of its rows can be trained \(2 rows: t2i without a valid caption"
    ):
        Order(manifest([{"n_captions": 0}] * 2), [phase()], seed=0)
    with pytest.raises(UserError, match=r"phase p: none of its pictures reaches 256 px .* \(1 rows: would grow"):
        Order(manifest([{"width": 16, "height": 16}]), [phase()], seed=0)


def test_a_budget_that_does_not_hold_a_sample_with_its_references_is_refused() -> None:
    with pytest.raises(UserError, match="does not hold one picture of 256 x 256 px with 1 reference; at least 4,352"):
        Order(manifest([edit((800, 800))]), [phase(references=ReferenceConfig())], seed=0)


def test_crops_keep_what_is_quoted_and_edits_are_not_cut() -> None:
    banner = {"width": 1600, "height": 200, "quoted_box": [60, 40, 1540, 160]}
    order = Order(
        manifest([banner, {"width": 1600, "height": 200}, edit((1600, 200), width=1600, height=200)]), [phase()], 0
    )
    found = {}
    for batch in batches(order):
        for slot, row in enumerate(batch.rows.tolist()):
            found[row] = (batch.buckets[slot].tolist(), batch.keeps[slot].tolist())
    assert found[0] == ([768, 96], [60, 40, 1540, 160])
    assert found[1] == ([448, 144], [0, 0, 0, 0])
    assert found[2][0] == [768, 96]
    assert found[2][1][2] >= 1600


def test_a_row_that_is_moved_into_a_bucket_of_others_stands_there_in_its_order() -> None:
    """By itself 300 x 512 px would be cut to 32 x 64, which loses some of what is quoted."""
    quoted, square = {"width": 300, "height": 512, "quoted_box": [10, 170, 290, 341]}, {"width": 512, "height": 512}
    coarse = phase(resolutions=(48,), tokens=256)
    (made,) = Order(manifest([quoted, square]), [coarse], seed=0).phases
    assert [(stratum.bucket, stratum.count) for stratum in made.strata] == [((48, 48), 2)]
    assert made.members.of(0).tolist() == [0, 1]
    assert made.rows == 2
    (last,) = Order(manifest([square, quoted, square]), [coarse], seed=0).phases
    assert last.members.of(0).tolist() == [0, 1, 2]
    assert last.rows == 3


def test_left_out_has_words_for_each_of_its_counts() -> None:
    every = LeftOut(**{field.name: 1 for field in dataclasses.fields(LeftOut)})
    assert len(every.reasons(phase(), 3)) == len(dataclasses.fields(LeftOut))


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: ReferenceConfig(vae_area=100), "field 'vae_area': must be at least 1024 px"),
        (lambda: ReferenceConfig(vision_area=0), "field 'vision_area': must be at least 1024 px"),
    ],
)
def test_areas_too_small_for_a_reference_are_refused(make: object, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        make()  # type: ignore[operator]
