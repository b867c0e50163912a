"""Photographs taken out of a Debian package: as they are listed, or not at all."""

from __future__ import annotations

import hashlib
import shutil
import struct
import subprocess
import zlib
from dataclasses import replace
from pathlib import Path

import pytest

from synth import photo_install, photo_list
from synth.photo_install import bundled, install
from synth.photo_list import Photograph, PhotoPackage

PICTURES = {"plain.jpg": b"a picture", "inner.webp": b"in a bundle", "squeezed.webp": b"compressed " * 40}


def bundle(files: dict[str, tuple[bytes, bool]]) -> bytes:
    """A bundle as Qt's ``rcc --binary`` writes it (version 1), with the files in its one folder, ``pictures``."""
    names, contents = bytearray(), bytearray()
    name_at, entries = {}, []
    for name in ("", "pictures", *files):
        name_at[name] = len(names)
        names += struct.pack(">HI", len(name), 0) + name.encode("utf-16-be")
    for name, (content, compressed) in files.items():
        stored = struct.pack(">I", len(content)) + zlib.compress(content) if compressed else content
        entries.append(struct.pack(">IHHHI", name_at[name], compressed, 0, 0, len(contents)))
        contents += struct.pack(">I", len(stored)) + stored
    root = struct.pack(">IHII", 0, 2, 1, 1)
    folder = struct.pack(">IHII", name_at["pictures"], 2, len(files), 2)
    tree = root + folder + b"".join(entries)
    header = 20
    places = (header, header + len(tree), header + len(tree) + len(contents))
    return b"qres" + struct.pack(">4I", 1, *places) + tree + contents + names


def test_files_of_a_bundle_are_read_compressed_ones_too() -> None:
    files = {"a.webp": (b"stored", False), "b.webp": (b"squeezed " * 30, True)}
    assert dict(bundled(bundle(files))) == {f"/pictures/{name}": content for name, (content, _) in files.items()}


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> PhotoPackage:
    """A listed package whose archive lies in a folder in place of Debian's."""
    if shutil.which("dpkg-deb") is None:
        pytest.skip("dpkg-deb is Debian's")
    folder = tmp_path / "tree" / "usr" / "share" / "some"
    folder.mkdir(parents=True)
    (folder / "plain.jpg").write_bytes(PICTURES["plain.jpg"])
    inner = {"inner.webp": (PICTURES["inner.webp"], False), "squeezed.webp": (PICTURES["squeezed.webp"], True)}
    (folder / "all.rcc").write_bytes(bundle(inner))
    control = tmp_path / "tree" / "DEBIAN" / "control"
    control.parent.mkdir()
    control.write_text("Package: some-photos\nVersion: 1\nArchitecture: all\nMaintainer: nobody\nDescription: none\n")
    archive = tmp_path / "some-photos_1_all.deb"
    subprocess.run(["dpkg-deb", "--build", tmp_path / "tree", archive], check=True, capture_output=True)
    photographs = tuple(
        Photograph(
            name, path, hashlib.sha256(PICTURES[name]).hexdigest(), "CC-BY-4.0", f"author of {name}", "wall", "plain"
        )
        for name, path in zip(
            PICTURES, ("plain.jpg", "all.rcc!pictures/inner.webp", "all.rcc!pictures/squeezed.webp"), strict=True
        )
    )
    listing = PhotoPackage("usr/share/some", "copyright", photographs, debian="some-photos", version="1")
    for module in (photo_list, photo_install):
        monkeypatch.setattr(module, "FOLDER", tmp_path / "photographs")
    monkeypatch.setattr(photo_list, "packages", lambda: (listing,))
    monkeypatch.setattr(photo_install, "_download", lambda package, folder: archive)
    monkeypatch.setattr(shutil, "which", lambda tool: tool)
    return listing


def test_pictures_come_out_of_the_package_and_its_bundles_with_credits(package: PhotoPackage, tmp_path: Path) -> None:
    assert install() == []
    folder = tmp_path / "photographs"
    assert {p.name: p.read_bytes() for p in folder.iterdir() if p.suffix != ".md"} == PICTURES
    credits = (folder / "CREDITS.md").read_text()
    assert all(f"`{name}`: author of {name}, CC-BY-4.0" in credits for name in PICTURES)


def test_what_differs_from_the_list_or_is_not_there_is_left_out_and_named(
    package: PhotoPackage, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plain, inner, squeezed = package.photographs
    changed = replace(package, photographs=(replace(plain, sha256="0" * 64), replace(inner, path="gone.jpg"), squeezed))
    monkeypatch.setattr(photo_list, "packages", lambda: (changed,))
    assert install() == [
        "photographs: plain.jpg is another picture in some-photos_1_all.deb; listed from 1; left out",
        "photographs: gone.jpg is not in some-photos_1_all.deb; listed from 1; left out",
    ]
    assert sorted(p.name for p in (tmp_path / "photographs").iterdir()) == ["CREDITS.md", "squeezed.webp"]


def test_a_package_that_cannot_be_had_is_one_line(package: PhotoPackage, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(photo_install, "_download", lambda package, folder: None)
    (line,) = install()
    assert line.startswith("photographs: some-photos cannot be downloaded; 3 are missing; ")
