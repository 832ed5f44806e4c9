"""Files that appear whole or not at all: written beside their place, made durable, then moved there.

Knows nothing of what the files mean. The caller chooses the folder for unfinished files; it must be on the
same file system as the place the file goes to.
"""

from __future__ import annotations

import contextlib
import errno
import os
import shutil
import uuid
from collections.abc import Iterable, Iterator
from pathlib import Path

UNFINISHED = ".writing-"
"""How the names of unfinished files begin."""
NO_LINKS = frozenset({errno.EPERM, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOSYS, errno.EMLINK, errno.EXDEV})
"""What file systems without hard links say (exFAT, many FUSE mounts)."""


@contextlib.contextmanager
def unfinished(folder: Path) -> Iterator[Path]:
    """Give the path of a file that nobody else uses; if it is still there at the end it is removed."""
    path = folder / f"{UNFINISHED}{uuid.uuid4().hex}"
    try:
        yield path
    finally:
        # A disk that refuses to remove has refused to write before: that error is the one to tell.
        with contextlib.suppress(OSError):
            path.unlink(missing_ok=True)


def write_durably(path: Path, pieces: Iterable[bytes]) -> None:
    """Write a new file and wait until the disk has it.

    Raises:
        OSError: the file exists or cannot be written.
    """
    with path.open("xb") as file:
        for piece in pieces:
            file.write(piece)
        file.flush()
        os.fsync(file.fileno())


def put(target: Path, pieces: Iterable[bytes], *, beside: Path) -> None:
    """Write a file whole under its name, over whatever file is there; its folder is made.

    Args:
        target: the file.
        pieces: its bytes.
        beside: folder for the unfinished file.

    Raises:
        OSError: it could not be written; under its name nothing has changed.
    """
    with unfinished(beside) as path:
        write_durably(path, pieces)
        target.parent.mkdir(parents=True, exist_ok=True)
        path.replace(target)


def put_new(target: Path, data: bytes, *, beside: Path) -> bool:
    """Write a file whole under a name that is free; False when somebody else has taken the name.

    Exactly one of several writers is told True, whichever machines they run on.

    Raises:
        OSError: it could not be written.
    """
    with unfinished(beside) as path:
        write_durably(path, [data])
        target.parent.mkdir(parents=True, exist_ok=True)
        try:
            os.link(path, target)
        except FileExistsError:
            return False
        except OSError as error:
            if error.errno not in NO_LINKS:
                raise
            return _create(target, data)
    return True


def _create(target: Path, data: bytes) -> bool:
    try:
        write_durably(target, [data])
    except FileExistsError:
        return False
    except OSError:
        target.unlink(missing_ok=True)
        raise
    return True


def sync_folder(folder: Path) -> None:
    """Wait until the disk has the names in a folder; where a folder cannot be synced, do nothing."""
    with contextlib.suppress(OSError):
        number = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(number)
        finally:
            os.close(number)


def sweep(folder: Path, *, older_than: float) -> None:
    """Remove what writers that were killed left in a folder.

    Args:
        folder: where unfinished files and folders stand.
        older_than: seconds since 1970 by the clock of the file system, as in ``st_mtime``: what is younger
            may still be in work.
    """
    with contextlib.suppress(OSError), os.scandir(folder) as entries:
        for entry in entries:
            if not entry.name.startswith(UNFINISHED) or entry.stat().st_mtime >= older_than:
                continue
            if entry.is_dir():
                shutil.rmtree(entry.path, ignore_errors=True)
            else:
                Path(entry.path).unlink()
