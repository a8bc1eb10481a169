"""How far each tile of a block has come, as plain arrays and JSON in one NumPy archive."""

from __future__ import annotations

import io
import json
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from jaxcoord.engine.program import Carry, Program


class Slot(NamedTuple):
    """A tile at a step: what it carries and the records it holds of the current block."""

    step: int
    carry: Carry
    buffer: dict[str, Any]


def _plain(leaf: Any) -> np.ndarray:
    if jnp.issubdtype(leaf.dtype, jax.dtypes.prng_key):
        leaf = jax.random.key_data(leaf)
    return np.asarray(leaf)


def encode(slots: Mapping[int, Slot], reports: Sequence[Mapping[str, Any]] = ()) -> bytes:
    """The archive of a block's tiles, each by its number in the block, and of what was reported of them."""
    arrays: dict[str, np.ndarray] = {}
    header: dict[str, Any] = {"reports": [dict(report) for report in reports]}
    for number, slot in slots.items():
        leaves = [_plain(leaf) for leaf in jax.tree.leaves((slot.carry, slot.buffer))]
        header[str(number)] = {"step": slot.step, "leaves": [[str(a.dtype), list(a.shape)] for a in leaves]}
        for i, array in enumerate(leaves):
            # As bytes: NumPy's format does not know types such as bfloat16.
            arrays[f"{number}.{i}"] = np.frombuffer(np.ascontiguousarray(array).tobytes(), np.uint8)
    arrays["header"] = np.frombuffer(json.dumps(header).encode(), np.uint8)
    memory = io.BytesIO()
    np.savez(memory, **arrays)  # type: ignore[arg-type]
    return memory.getvalue()


def reports(data: bytes) -> list[dict[str, Any]]:
    """What was reported of the populations of an archive."""
    with np.load(io.BytesIO(data), allow_pickle=False) as archive:
        return json.loads(archive["header"].tobytes())["reports"]


def decode(data: bytes, number: int, program: Program) -> Slot | None:
    """One tile of an archive, None where the archive does not hold it."""
    word = jax.ShapeDtypeStruct((), jnp.uint32)
    index = jax.ShapeDtypeStruct((program.width,), jnp.uint32)
    shapes = jax.eval_shape(program._init, program.batch_shapes(), word, index, index), program.buffer_shapes
    with np.load(io.BytesIO(data), allow_pickle=False) as archive:
        header = json.loads(archive["header"].tobytes())
        if str(number) not in header:
            return None
        facts = header[str(number)]
        leaves = []
        for i, ((dtype, shape), wanted) in enumerate(zip(facts["leaves"], jax.tree.leaves(shapes), strict=True)):
            array = archive[f"{number}.{i}"].view(jnp.dtype(dtype)).reshape(shape)
            if len(shape) == len(wanted.shape) and tuple(shape) != wanted.shape:
                whole = np.zeros(wanted.shape, array.dtype)  # a buffer of which only the filled rows were kept
                whole[: shape[0]] = array
                array = whole
            if jnp.issubdtype(wanted.dtype, jax.dtypes.prng_key):
                array = jax.random.wrap_key_data(array)
            leaves.append(array)
    carry, buffer = jax.tree.unflatten(jax.tree.structure(shapes), leaves)
    return Slot(facts["step"], carry, buffer)
