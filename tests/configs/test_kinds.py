"""Kinds of one's own: imported by name, checked as strictly as those that ship, told in one line when wrong."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

import pytest

from configs import UserError, decode, to_plain
from configs.kinds import OpenKind


class Shape:
    """What shapes derive from."""


@dataclass(frozen=True)
class Circle(Shape):
    kind: Literal["circle"]
    radius: int = 1


@dataclass(frozen=True)
class Square(Shape):
    kind: Literal["square"]
    side: int = 1
    colors: tuple[str, ...] = ()


@dataclass(frozen=True)
class Star(Shape):
    """A user's own."""

    kind: str
    points: int = 5

    def __post_init__(self) -> None:
        if self.points < 3:
            raise ValueError(f"field 'points': must be at least 3, found {self.points}")


@dataclass(frozen=True)
class Stray:
    kind: str


class Undecorated(Star):
    """Its fields would be ignored."""

    size: int = 1


@dataclass(frozen=True)
class Drawing:
    shapes: tuple[Annotated[Circle | Square, OpenKind(Shape)], ...] = ()
    frame: Annotated[Circle | Square, OpenKind(Shape)] | None = None


OWN = f"{__name__}:Star"


def test_an_own_kind_stands_among_ours_and_survives_the_way_through_plain_data() -> None:
    tree = {
        "shapes": [{"kind": "square", "side": 2, "colors": ["red"]}, {"kind": OWN, "points": 7}],
        "frame": {"kind": OWN},
    }
    drawing = decode(tree, Drawing, "drawing")
    assert drawing == Drawing((Square("square", 2, ("red",)), Star(OWN, 7)), Star(OWN))
    assert decode(to_plain(drawing), Drawing, "again") == drawing


@pytest.mark.parametrize(
    ("shape", "message"),
    [
        ({"kind": "hexagon"}, "shapes.0: no kind 'hexagon'; allowed: circle, square, or package.module:Class"),
        ({"kind": "nowhere.at_all:Star"}, "shapes.0: kind 'nowhere.at_all:Star' cannot be imported"),
        ({"kind": f"{__name__}:Comet"}, "cannot be imported as package.module:Class"),
        ({"kind": f"{__name__}:Stray"}, "is no dataclass derived from"),
        ({"kind": f"{__name__}:Undecorated"}, "is no dataclass derived from"),
        ({"kind": OWN, "pionts": 7}, "unknown field 'pionts'; did you mean points?"),
        ({"kind": OWN, "points": "7"}, "field 'points': "),
        ({"kind": OWN, "points": 2}, "field 'points': must be at least 3, found 2"),
        ({"kind": "circle", "side": 2}, "unknown field 'shapes.0.side'"),
        ({"side": 2}, "field 'shapes.0"),
    ],
)
def test_what_is_wrong_with_a_kind_is_one_line(shape: dict[str, object], message: str) -> None:
    with pytest.raises(UserError) as caught:
        decode({"shapes": [shape]}, Drawing, "drawing")
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


class Unfinished(Shape, ABC):
    """What a user's class forgot to define."""

    @abstractmethod
    def area(self) -> float: ...


@dataclass(frozen=True)
class Blob(Unfinished):
    kind: str


@pytest.mark.parametrize("body", ["1 / 0\n", "def broken(:\n", "import no_such_module_anywhere\n"])
def test_a_module_that_cannot_be_imported_is_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, body: str
) -> None:
    (tmp_path / "own_broken_shapes.py").write_text(body)
    monkeypatch.syspath_prepend(str(tmp_path))
    with pytest.raises(UserError, match=r"cannot be imported as package.module:Class") as caught:
        decode({"shapes": [{"kind": "own_broken_shapes:Star"}]}, Drawing, "drawing")
    assert "\n" not in str(caught.value)


def test_a_class_that_lacks_a_method_is_one_line() -> None:
    with pytest.raises(UserError, match="does not define area"):
        decode({"shapes": [{"kind": f"{__name__}:Blob"}]}, Drawing, "drawing")
