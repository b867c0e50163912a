"""Watermarks, by what others say of a picture: no detector of them can be had offline.

    the captioner's list ──not empty──────────────────────────────────────────────> its first
    text_regions ──same text, same ninth of the picture, many pictures of one host──> that text

S5 of the report takes watermarked pictures out. A host prints its name at one place on all that it shows, while what
pictures show themselves differs. Numbers are chosen. Rows without host (folders, archives) are judged by the captioner
alone: pictures of one folder may well show the same sign.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import polars as pl

_HOST = r"^https?://(?:[^/?#@]*@)?(?:www\.)?([^/:?#]+)"


@dataclass(frozen=True)
class WatermarkConfig:
    """When a text is a host's watermark. ``pictures``: at least so many of the host show it at one place, copies of one
    picture counted once; ``share``: and at least this share of the host's pictures that show text; ``characters``: of
    letters and digits it has at least so many. 0 ``pictures`` leaves watermarks to the captioner."""

    pictures: int = 5  # chosen
    share: float = 0.1  # chosen
    characters: int = 4  # chosen

    def __post_init__(self) -> None:
        if self.pictures < 0 or self.pictures == 1:
            raise ValueError(f"field 'pictures': 0, or at least 2, found {self.pictures}")
        if not 0 <= self.share <= 1:
            raise ValueError(f"field 'share': must be between 0 and 1, found {self.share}")
        if self.characters < 1:
            raise ValueError(f"field 'characters': must be at least 1, found {self.characters}")


Lines = Callable[[], "Iterable[pl.DataFrame]"]
"""Gives what ``lines_of`` gives, in pieces; it is asked twice."""
REGIONS = ("uri", "width", "height", "pixel_sha256", "phash", "text_regions")
"""What ``lines_of`` needs of rows beside their ids."""


def none_repeated() -> pl.DataFrame:
    """What ``repeated_texts`` gives of no rows."""
    import polars as pl

    return pl.DataFrame(schema={"id": pl.String, "watermark": pl.String})


def is_judged(table: pl.DataFrame, config: WatermarkConfig) -> bool:
    """Whether any row of ``table`` (uri) comes from a host, so that regions are worth reading."""
    return config.pictures > 0 and bool(table["uri"].str.contains(_HOST).any())


def repeated_texts(lines: Lines, config: WatermarkConfig) -> pl.DataFrame:
    """(id, watermark) of rows that show a text which their host shows at one place. ``lines``: of all rows.

    In memory are three numbers a line, for texts, hosts and pictures are counted by 64 bits of a hash.
    """
    import polars as pl

    told = (pl.col("plain").str.len_chars() >= config.characters) & pl.col("ninth").is_not_null()
    numbers = {
        "host": pl.col("host").hash(),
        "place": pl.when(told).then(_place()),
        "picture": pl.col("picture").hash(),
    }
    seen = pl.concat([part.select(**numbers).unique() for part in lines()])
    of_host = seen.group_by("host").agg(all=pl.col("picture").n_unique())
    places = seen.drop_nulls("place").group_by("place").agg(pl.first("host"), found=pl.col("picture").n_unique())
    enough = (pl.col("found") >= config.pictures) & (pl.col("found") >= config.share * pl.col("all"))
    marks = places.join(of_host, on="host").filter(enough)["place"].implode()
    marked = pl.concat([part.filter(told & _place().is_in(marks)).select("id", watermark="text") for part in lines()])
    return marked.unique("id", keep="first", maintain_order=True)


def _place() -> pl.Expr:
    import polars as pl

    return pl.concat_str("host", "plain", "ninth", separator="\n").hash()


def lines_of(regions: pl.DataFrame) -> pl.DataFrame:
    """id, picture (equal for copies), host, text, plain (letters and digits, NFKC, lower case) and ninth (0 top left .. 8
    bottom right) of each region.

    ``regions``: id and REGIONS of some rows.
    """
    import polars as pl

    with_host = regions.with_columns(host=pl.col("uri").str.extract(_HOST).str.to_lowercase())
    lines = with_host.filter(pl.col("host").is_not_null() & (pl.col("text_regions").list.len() > 0))
    lines = lines.explode("text_regions")
    region = pl.col("text_regions").struct
    corner = region.field("quad").arr
    middle = [(corner.get(axis) + corner.get(axis + 4)) / 2 for axis in (0, 1)]  # of opposite corners
    column, row = (
        (3 * m / pl.col(size)).floor().clip(0, 2) for m, size in zip(middle, ("width", "height"), strict=True)
    )
    plain = region.field("text").str.normalize("NFKC").str.to_lowercase().str.replace_all(r"[^\p{L}\p{Nd}]", "")
    picture = pl.coalesce(pl.col("phash").cast(pl.String), "pixel_sha256", "id")
    return lines.select(
        "id", "host", picture=picture, text=region.field("text"), plain=plain, ninth=(3 * row + column).cast(pl.Int8)
    )


def with_watermarks(table: pl.DataFrame, repeated: pl.DataFrame) -> pl.DataFrame:
    """``table`` with the column ``watermark``. ``repeated``: as ``repeated_texts`` gives it. The captioner's list
    ``watermarks``, where the table has it, goes away and counts first."""
    import polars as pl

    listed = pl.lit(None, pl.String)
    if isinstance(table.schema.get("watermarks"), pl.List):
        listed = pl.col("watermarks").list.first()
    joined = table.join(repeated, on="id", how="left", maintain_order="left")
    return joined.with_columns(watermark=pl.coalesce(listed, "watermark")).drop("watermarks", strict=False)
