"""Files that are either whole or not there: written aside, synced, renamed, and the folder synced."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path

from jaxcoord.errors import StoreError


def write(path: Path, data: bytes) -> None:
    """Replace a file by new content that survives a crash at any moment.

    Raises: StoreError where a system call fails; the file is then as it was before.
    """
    aside = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        descriptor = os.open(aside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o644)
        try:
            view = memoryview(data)
            while view:
                view = view[os.write(descriptor, view) :]
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
        os.replace(aside, path)
        sync_folder(path.parent)
    except OSError as error:
        with contextlib.suppress(OSError):
            os.unlink(aside)
        raise failed(path, error) from error


def make_folder(path: Path) -> None:
    """Create a folder, its parents too, and sync the parent. Raises: StoreError."""
    try:
        if not path.is_dir():
            os.makedirs(path, exist_ok=True)
            sync_folder(path.parent)
    except OSError as error:
        raise failed(path, error) from error


def sync_folder(path: Path) -> None:
    """Make the names in a folder durable."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def failed(path: Path, error: OSError) -> StoreError:
    """A failed system call as one line that says what became of the run."""
    reason = error.strerror or str(error)
    return StoreError(f"{path}: {reason}; what was committed is safe: mend the cause and run the same command again")
