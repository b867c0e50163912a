"""Configs are strict: a wrong one is a single line naming the field, what was found, what is allowed."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

import pytest

from configs import UserError, decode, digest, load, to_plain


@dataclass(frozen=True)
class Folder:
    kind: Literal["folder"]
    path: str
    size: tuple[int, ...] = (1, 2)


@dataclass(frozen=True)
class Synth:
    kind: Literal["synth"]
    rate: float = 1e-3


@dataclass(frozen=True)
class Root:
    sources: list[Folder | Synth]
    seed: int = 0
    rules: dict[str, float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.seed < 0:
            raise ValueError(f"field 'seed': must not be negative, found {self.seed}")


GOOD = "sources:\n- {kind: folder, path: a, size: [3, 4]}\n- {kind: synth, rate: 1}\n"


@pytest.fixture
def config(tmp_path: Path) -> Path:
    path = tmp_path / "good.yaml"
    path.write_text(GOOD)
    return path


def test_decodes_nested_classes_unions_and_tuples(config: Path) -> None:
    assert load(config, Root) == Root([Folder("folder", "a", (3, 4)), Synth("synth", 1.0)])


def test_set_overrides_any_field(config: Path) -> None:
    root = load(config, Root, ["seed=7", "sources.0.path=b", "rules.x=1e-4", "sources.1.rate=2e-3"])
    assert root.seed == 7
    assert root.sources[0] == Folder("folder", "b", (3, 4))
    assert root.rules == {"x": 1e-4}
    assert root.sources[1] == Synth("synth", 2e-3)


@pytest.mark.parametrize(
    ("typed", "value"),
    [
        ("/x/pic #1", "/x/pic #1"),
        ("#1", "#1"),
        ("/x/My: pictures", "/x/My: pictures"),
        ("*.tar", "*.tar"),
        ("- a", "- a"),
        ("!x", "!x"),
        ("'3'", "3"),
        ("'a' #1", "'a' #1"),
        ('"a #1"', "a #1"),
        ("2026-13-45", "2026-13-45"),
        ("a=b", "a=b"),
    ],
)
def test_set_takes_a_plain_value_whole(config: Path, typed: str, value: str) -> None:
    assert load(config, Root, [f"sources.0.path={typed}"]).sources[0] == Folder("folder", value, (3, 4))


@pytest.mark.parametrize(
    ("override", "parts"),
    [
        ("sed=1", ["unknown field 'sed'", "seed"]),
        ("sources.0.pth=x", ["unknown field 'sources.0.pth'", "path"]),
        ("sources.0.kind=foldr", ["sources.0.kind", "'folder'", "foldr"]),
        ("sources.0.size=[1, x]", ["sources.0.size.1", "integer", "'x'"]),
        ("sources.5.path=x", ["list of 2", "'5'"]),
        ("sources=3", ["'sources'", "found 3"]),
        ("seed='3'", ["'seed'", "integer", "'3'"]),
        ("seed=-1", ["'seed'", "negative", "-1"]),
        ("seed", ["field=value"]),
        ("seed.x=1", ["'seed'", "single value"]),
        ("rules.a=.nan", ["'rules.a'", "finite number", "nan"]),
        ("sources.1.rate=.inf", ["'sources.1.rate'", "finite number", "inf"]),
        ("rules.a=b", ["rules.a", "number", "'b'"]),
        ("seed=[", ["--set", "YAML"]),
    ],
)
def test_a_wrong_field_is_one_line_that_names_it(config: Path, override: str, parts: list[str]) -> None:
    with pytest.raises(UserError) as caught:
        load(config, Root, ["seed=0", override] if override.startswith("seed.") else [override])
    message = str(caught.value)
    assert "\n" not in message
    for part in parts:
        assert part in message


def test_a_missing_field_is_named(tmp_path: Path) -> None:
    (tmp_path / "x.yaml").write_text("seed: 1\n")
    with pytest.raises(UserError, match="'sources' is required"):
        load(tmp_path / "x.yaml", Root)


@pytest.mark.parametrize(
    ("text", "part"),
    [
        ("a: [", "not valid YAML"),
        ("- 1\n", "top level"),
        ("seed: 1\nseed: 2\n", "'seed' is given twice"),
        ("? [a, b]\n: 1\n", "single value"),
    ],
)
def test_bad_yaml_is_named_with_its_place(tmp_path: Path, text: str, part: str) -> None:
    (tmp_path / "x.yaml").write_text(text)
    with pytest.raises(UserError, match=part):
        load(tmp_path / "x.yaml", Root)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"nowhere\.yaml: cannot be read"):
        load(tmp_path / "nowhere.yaml", Root)


def test_exponents_without_a_dot_are_numbers(tmp_path: Path) -> None:
    (tmp_path / "x.yaml").write_text("kind: synth\nrate: 1e-4\n")
    assert load(tmp_path / "x.yaml", Synth).rate == 1e-4


def test_to_plain_is_the_inverse_of_decode_and_digest_follows_content(config: Path) -> None:
    root = load(config, Root)
    assert decode(to_plain(root), Root, "again") == root
    assert digest(root) == digest(load(config, Root))
    assert digest(root) != digest(load(config, Root, ["seed=1"]))
