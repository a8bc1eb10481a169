"""How results lie in Zarr: arrays, chunks, codecs, coordinates.

Chunks carry a checksum, and what is missing reads as a value that no run records.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import numpy as np

from jaxcoord.engine.plan import Plan


def create_arrays(plan: Plan, store: Any) -> Any:
    """The group with an array for each variable, one chunk for each block, in a Zarr store that is empty."""
    import zarr
    from zarr.codecs import Crc32cCodec, ZstdCodec

    group = zarr.open_group(store, mode="w", zarr_format=3)
    last, chunk = plan.shape[-1], plan.chunk[-1]
    kind = "replicate"
    if plan.record.reduce:
        last = chunk = len(plan.record.reduce)
        kind = "statistic"
    for variable in plan.variables:
        whole = plan.record.reduce and variable.dtype.kind != "f"
        dtype = np.dtype(np.float32) if whole else variable.dtype
        group.create_array(
            variable.name,
            shape=(*plan.shape[:-1], last, plan.records, *variable.shape),
            chunks=(*plan.chunk[:-1], chunk, plan.segment, *(max(1, n) for n in variable.shape)),
            dtype=dtype,
            fill_value=fill_value(dtype),
            compressors=[ZstdCodec(level=1), Crc32cCodec()],
            chunk_key_encoding={"name": "default", "separator": "."},
            dimension_names=(*plan.design.dims, kind, "step", *variable.dims),
            attributes={"units": variable.unit, "long_name": variable.doc},
        )
    return group


def fill_value(dtype: np.dtype) -> Any:
    """What a missing chunk reads as: a value that no run records."""
    if dtype.kind == "f":
        return np.nan
    if dtype.kind == "b":
        return False
    return np.iinfo(dtype).min if dtype.kind == "i" else np.iinfo(dtype).max


def metadata_files(plan: Plan, identity: Mapping[str, Any], coords: Mapping[str, Any]) -> dict[str, bytes]:
    """Every file of the Zarr group that is not a block, by name: descriptions and coordinates."""
    import zarr
    from zarr.codecs import Crc32cCodec, ZstdCodec

    files: dict[str, Any] = {}
    group = create_arrays(plan, zarr.storage.MemoryStore(files))
    group.attrs["jaxcoord"] = json.dumps(identity, sort_keys=True)
    group.attrs["variables"] = [v.name for v in plan.variables]  # folders have no order
    for name, (dims, values, attributes) in coords.items():
        array = np.asarray(values)
        if array.dtype.kind not in "iuf":
            # Zarr 3 has no settled form for text: codes, with their labels as an attribute.
            attributes = attributes | {"labels": [str(v) for v in values]}
            array = np.arange(len(array), dtype=np.int32)
        target = group.create_array(
            name, shape=array.shape, chunks=array.shape, dtype=array.dtype, dimension_names=dims, attributes=attributes,
            chunk_key_encoding={"name": "default", "separator": "."}, compressors=[ZstdCodec(level=1), Crc32cCodec()],
        )  # fmt: skip
        target[:] = array
    return {key: value.to_bytes() for key, value in sorted(files.items())}
