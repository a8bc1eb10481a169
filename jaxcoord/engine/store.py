"""A run on disk: a Zarr group that any xarray opens, and a manifest that alone says which blocks exist.

A block's chunks are written, synced and only then entered in the manifest, which is replaced whole. Every file that
the manifest lists has its length and checksum there. With several processes each keeps a manifest of its own, and the
first process joins them.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import re
import threading
import zlib
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from jaxcoord.engine import durable
from jaxcoord.engine.arrays import create_arrays, metadata_files
from jaxcoord.engine.plan import Block, Plan
from jaxcoord.errors import ParameterError, StoreError

SCHEMA = 1
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
LEFT_OVER = re.compile(r"\.lock|\.owner\.json|\.(\.owner\.json|manifest(\.backup)?\.json)\.\d+\.part")
CHECKPOINT = re.compile(r"checkpoints/\d+-[0-9a-f]{8}\.npz")
OURS = re.compile(
    r"\.lock|\.owner\.json|manifest(-\d+)?(\.backup)?\.json|config\.toml|report\.html|figures/[^/]+\.(png|svg)|(.*/)?\.[^/]+\.\d+\.part|"
    + CHECKPOINT.pattern
    + r"|data\.zarr/([^/]+/)?(zarr\.json|c(\.\d+)*|c/\d+)"
)


def resolve(name: str, folder: str | os.PathLike = "results") -> Path:
    """The path of a run inside the results folder.

    Raises: ParameterError for a name that is not plain or that would leave the folder.
    """
    if not isinstance(name, str) or not NAME.fullmatch(name):
        raise ParameterError(
            f"name = {name!r}: letters, digits, '.', '_' and '-' only, beginning with a letter or digit, at most 64"
        )
    path = Path(folder) / name
    if path.resolve() != Path(folder).resolve() / name:
        raise ParameterError(f"name = {name!r}: {path} is a link that leaves the results folder {folder}")
    return path


def path_of(store: str | os.PathLike) -> Path:
    """The path of a store given as one path, its last part checked like a name. Raises: ParameterError."""
    try:
        path = Path(store)
    except TypeError:
        raise ParameterError(f"store = {store!r}: a path such as 'results/mine' is needed") from None
    return resolve(path.name, path.parent)


def checksum(data: bytes) -> str:
    """CRC-32 of a file's bytes, in hexadecimal."""
    return f"{zlib.crc32(data):08x}"


def damage(folder: Path, files: Mapping[str, Mapping[str, Any]], read: bool = True) -> str | None:
    """What is wrong with the first listed file that is not as it was written, None where all are.

    Args: `files`, names in the folder with their `bytes` and `crc32`; `read=False` looks at lengths only.
    """
    for name, facts in files.items():
        path = folder / name
        if ".." in Path(name).parts or Path(name).is_absolute():
            return f"{name} leaves the store"
        try:
            if path.stat().st_size != facts["bytes"]:
                return f"{name}: its length has changed"
            if read and checksum(path.read_bytes()) != facts["crc32"]:
                return f"{name}: its bytes have changed"
        except OSError as error:
            return f"{name}: {error.strerror}"
    return None


class Manifest:
    """One process's list of what is committed, replaced whole at every commit, with a copy of the one before."""

    def __init__(self, folder: Path, process: int = 0):
        self.path = folder / ("manifest.json" if process == 0 else f"manifest-{process}.json")
        self.backup = self.path.with_suffix(".backup.json")
        self.content: dict[str, Any] = {}
        self.whole = True  # whether the manifest and its copy agree

    def save(self) -> None:
        """Write the manifest and then its copy."""
        body = json.dumps(self.content, sort_keys=True)
        digest = hashlib.sha256(body.encode()).hexdigest()
        data = f'{{"sha256": "{digest}",\n"manifest": {body}}}\n'.encode()
        durable.write(self.path, data)
        durable.write(self.backup, data)
        self.whole = True

    def load(self) -> bool:
        """Read the manifest, or its copy where it is damaged; False where there is none.

        Raises: StoreError where both are damaged or written by a newer version.
        """
        read = [self._read(path) for path in (self.path, self.backup)]
        if read == [None, None] and not (self.path.exists() or self.backup.exists()):
            return False
        content = read[0] if read[0] is not None else read[1]
        if content is None:
            raise StoreError(f"{self.path}: damaged, and so is its copy; start the run anew with --fresh")
        if content["schema"] > SCHEMA:
            raise StoreError(
                f"{self.path}: written by a newer version of jaxcoord, schema {content['schema']}; "
                f"this one reads up to {SCHEMA}: update jaxcoord or choose another name"
            )
        self.content, self.whole = content, read[0] == read[1]
        return True

    @staticmethod
    def _read(path: Path) -> dict[str, Any] | None:
        try:
            whole = json.loads(path.read_text(encoding="utf-8"))
            body = json.dumps(whole["manifest"], sort_keys=True)
            if hashlib.sha256(body.encode()).hexdigest() == whole["sha256"]:
                return whole["manifest"]
        except (FileNotFoundError, ValueError, TypeError, KeyError, RecursionError):
            return None
        except OSError as error:
            raise durable.failed(path, error) from error
        return None


class Store:
    """The open store of a run, written by this process."""

    def __init__(self, path: Path, process: int = 0):
        self.path, self.process = path, process
        self.manifest = Manifest(path, process)
        self.others: list[Manifest] = []
        self.mutex = threading.Lock()
        self._lock: Any = None

    def lock(self) -> None:
        """Become the only writer. A dead process's lock is void. Raises: StoreError naming the owner of a live one."""
        import filelock

        durable.make_folder(self.path)
        lock = filelock.FileLock(self.path / ".lock")
        owner = self.path / ".owner.json"
        try:
            lock.acquire(timeout=0)
        except filelock.Timeout:
            who = "another process"
            with contextlib.suppress(OSError, ValueError, KeyError):
                known = json.loads(owner.read_text())
                who = f"process {known['pid']} on {known['host']}"
            raise StoreError(f"{self.path}: {who} is writing this run; wait for it or choose another name") from None
        except OSError as error:
            raise durable.failed(self.path, error) from error
        try:
            durable.write(owner, json.dumps({"pid": os.getpid(), "host": os.uname().nodename}).encode())
        except StoreError:
            lock.release()
            raise
        self._lock = lock

    def unlock(self) -> None:
        """Let another process write."""
        if self._lock is not None:
            with contextlib.suppress(OSError):
                (self.path / ".owner.json").unlink()
            self._lock.release()
            self._lock = None

    def strangers(self) -> list[str]:
        """Files in the run's folder that no run writes."""
        return [name for name in self._files() if not OURS.fullmatch(name)]

    def _files(self) -> list[str]:
        return sorted(p.relative_to(self.path).as_posix() for p in self.path.rglob("*") if not p.is_dir())

    def clear(self) -> None:
        """Remove a run's files, for `--fresh`, its figures too.

        Raises: StoreError for a folder that holds anything else or that never held a run.
        """
        strangers = self.strangers()
        if not (self.manifest.path.exists() or self.manifest.backup.exists()):
            strangers = [name for name in self._files() if not LEFT_OVER.fullmatch(name)]
        if strangers:
            raise StoreError(f"{self.path}: holds {strangers[0]!r}, which no run wrote; choose another name")
        for name in self._files():
            if not name.startswith((".lock", ".owner")):
                (self.path / name).unlink()

    def sweep_out(self) -> None:
        """Remove what killed writes and served checkpoints left behind."""
        listed = {name for kept in self.manifest.content["checkpoints"].values() for name in kept["files"]}
        for name in self._files():
            half_written = name.endswith(".part") and OURS.fullmatch(name)
            if half_written or (CHECKPOINT.fullmatch(name) and name not in listed):
                (self.path / name).unlink(missing_ok=True)

    def load(self) -> bool:
        """Read the run's manifest and those of other processes; False for a new store.

        The first process joins what others left behind; the others start a manifest of their own.
        Raises: StoreError for a folder that holds no run, or one that is damaged or newer.
        """
        if self.process:
            main = Manifest(self.path)
            main.load()
            self.others = [main]
            self.manifest.content = {"schema": SCHEMA, "blocks": {}, "checkpoints": {}, "nonfinite": []}
            return True
        if not self.manifest.load():
            strangers = [name for name in self._files() if not LEFT_OVER.fullmatch(name)]
            if strangers:
                raise StoreError(f"{self.path}: holds {strangers[0]!r} but no manifest of a run; choose another name")
            return False
        if not self.manifest.whole:
            self.manifest.save()
        self.merge()
        self.sweep_out()
        return True

    def create(self, plan: Plan, identity: Mapping[str, Any], coords: Mapping[str, Any]) -> None:
        """Lay out an empty store: array metadata, coordinates, and a manifest without blocks."""
        self.manifest.content = {
            "schema": SCHEMA,
            "identity": dict(identity),
            "blocks": {},
            "checkpoints": {},
            "nonfinite": [],
        }
        # The manifest comes first: it marks the folder as a run's.
        self.manifest.save()
        self.write_metadata(plan, identity, coords)

    def write_metadata(self, plan: Plan, identity: Mapping[str, Any], coords: Mapping[str, Any]) -> None:
        """Write, or mend, what is not a block: the arrays' descriptions and the coordinates."""
        root = self.path / "data.zarr"
        listed = {}
        for name, data in metadata_files(plan, identity, coords).items():
            path = root / name
            durable.make_folder(path.parent)
            if not path.is_file() or path.read_bytes() != data:
                durable.write(path, data)
            listed[f"data.zarr/{name}"] = {"bytes": len(data), "crc32": checksum(data)}
        if self.manifest.content.get("metadata") != listed:
            self.manifest.content["metadata"] = listed
            self.manifest.save()

    def merge(self) -> None:
        """Join the manifests of other processes into this one and remove them."""
        content = self.manifest.content
        merged = []
        for path in sorted(self.path.glob("manifest-*.json")):
            match = re.fullmatch(r"manifest-(\d+)\.json", path.name)
            if match is None:
                continue
            other = Manifest(self.path, int(match[1]))
            other.load()
            merged.append(other)
            content["blocks"] |= other.content["blocks"]
            content["checkpoints"] |= other.content["checkpoints"]
            content["nonfinite"] += [row for row in other.content["nonfinite"] if row not in content["nonfinite"]]
        if not merged:
            return
        # A checkpoint inside a block that exists by now has served.
        content["checkpoints"] = {
            box: kept for box, kept in content["checkpoints"].items() if str(kept["block"]) not in content["blocks"]
        }
        self.manifest.save()
        for other in merged:
            other.path.unlink(missing_ok=True)
            other.backup.unlink(missing_ok=True)

    @property
    def reports(self) -> list[dict[str, Any]]:
        """What was reported of populations that are not finite, by all processes."""
        return [row for m in (self.manifest, *self.others) for row in m.content.get("nonfinite", [])]

    @property
    def committed(self) -> set[int]:
        """Indices of the blocks that exist, of all processes."""
        manifests = [self.manifest, *self.others]
        return {int(index) for m in manifests for index in m.content.get("blocks", {})}

    def verify(self) -> list[str]:
        """Drop blocks and checkpoints whose files are missing or damaged, and say which."""
        lost = []
        for part in ("blocks", "checkpoints"):
            listed = self.manifest.content[part]
            for index in sorted(listed, key=int):
                problem = damage(self.path, listed[index]["files"])
                if problem:
                    lost.append(f"{part[:-1]} {index}: {problem}")
                    del listed[index]
        if lost:
            self.manifest.save()
        return lost

    def commit(
        self,
        plan: Plan,
        block: Block,
        arrays: Mapping[str, np.ndarray],
        checkpoint: bytes | None = None,
        nonfinite: Iterable[Mapping[str, Any]] = (),
    ) -> None:
        """Write a block, sync it, and enter it in the manifest, with the checkpoint from which the next one goes on.

        Raises: StoreError where the disk refuses; the block then does not exist.
        """
        files = {}
        with self.mutex:
            for name, data in self._encode(plan, block, arrays).items():
                path = self.path / "data.zarr" / name
                durable.write(path, data)
                files[f"data.zarr/{name}"] = {"bytes": len(data), "crc32": checksum(data)}
            box = str(block.index // plan.segments)
            kept = None if checkpoint is None else self._checkpoint_file(box, checkpoint, block.index + 1)
            content = self.manifest.content
            changed = {part: dict(content[part]) for part in ("blocks", "checkpoints")}
            old = changed["checkpoints"].pop(box, None)
            if kept is not None:
                changed["checkpoints"][box] = kept
            changed["blocks"][str(block.index)] = {
                "box": [[s.start, s.stop] for s in block.box],
                "records": [block.records.start, block.records.stop],
                "files": files,
            }
            known = content["nonfinite"]
            rows = known + [row for row in map(dict, nonfinite) if row not in known]
            self._replace(content | changed | {"nonfinite": rows})
            self._drop_checkpoint(old, kept)

    def _replace(self, content: dict[str, Any]) -> None:
        before, self.manifest.content = self.manifest.content, content
        try:
            self.manifest.save()
        except StoreError:
            self.manifest.content = before
            raise

    def save_checkpoint(self, box: int, data: bytes, block: int) -> None:
        """Keep how far a box has come inside a block. Raises: StoreError."""
        with self.mutex:
            content = self.manifest.content
            old = content["checkpoints"].get(str(box))
            kept = self._checkpoint_file(str(box), data, block)
            self._replace(content | {"checkpoints": content["checkpoints"] | {str(box): kept}})
            self._drop_checkpoint(old, kept)

    def _checkpoint_file(self, box: str, data: bytes, block: int) -> dict[str, Any]:
        durable.make_folder(self.path / "checkpoints")
        name = f"checkpoints/{box}-{checksum(data)}.npz"
        durable.write(self.path / name, data)
        return {"block": block, "files": {name: {"bytes": len(data), "crc32": checksum(data)}}}

    def _drop_checkpoint(self, old: Mapping[str, Any] | None, keep: Mapping[str, Any] | None) -> None:
        for name in (old or {}).get("files", {}):
            if name not in (keep or {}).get("files", {}):
                with contextlib.suppress(OSError):
                    (self.path / name).unlink()

    def checkpoint(self, box: int) -> tuple[int, bytes] | None:
        """The block that a box's checkpoint belongs to and the checkpoint's bytes, where there is one."""
        for manifest in (self.manifest, *self.others):
            kept = manifest.content.get("checkpoints", {}).get(str(box))
            if kept and damage(self.path, kept["files"]) is None:
                return kept["block"], (self.path / next(iter(kept["files"]))).read_bytes()
        return None

    def _encode(self, plan: Plan, block: Block, arrays: Mapping[str, np.ndarray]) -> dict[str, bytes]:
        # zarr writes one block's chunks into memory; the bytes then go to disk by our own durable writes.
        import zarr

        files: dict[str, Any] = {}
        group = create_arrays(plan, zarr.storage.MemoryStore(files))
        for name, value in arrays.items():
            group[name][self._region(plan, block, value.ndim)] = value
        return {key: value.to_bytes() for key, value in files.items() if not key.endswith("zarr.json")}

    @staticmethod
    def _region(plan: Plan, block: Block, dimensions: int) -> tuple[slice, ...]:
        box = block.box
        if plan.record.reduce:
            box = (*box[:-1], slice(0, len(plan.record.reduce)))
        region = (*box, block.records)
        return region + (slice(None),) * (dimensions - len(region))
