"""Results as `xarray.Dataset`: dimensions, coordinates, units and meaning from the model's own fields."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from typing import Any

import numpy as np

from jaxcoord.engine.arrays import fill_value
from jaxcoord.engine.plan import Block, Plan
from jaxcoord.engine.store import Manifest, damage, path_of
from jaxcoord.errors import StoreError

Coordinate = tuple[tuple[str, ...], Any, dict[str, Any]]


def coordinates(plan: Plan) -> dict[str, Coordinate]:
    """Every coordinate of a result: (dims, values, attributes)."""
    found: dict[str, Coordinate] = {}
    for column in plan.design.columns:
        values = column.values
        attributes = {"units": column.field.unit, "long_name": column.field.doc, "parameter": column.path}
        dims: tuple[str, ...] = (plan.design.dims[column.axis],)
        if isinstance(values, np.ndarray) and values.ndim > 1:
            dims += tuple(f"{column.name}_{i}" for i in range(values.ndim - 1))
        if not isinstance(values, np.ndarray) and not all(isinstance(v, int | float | str) for v in values):
            values = [str(v) for v in values]
        found[column.name] = (dims, values if isinstance(values, np.ndarray) else list(values), attributes)
    if plan.record.reduce:
        found["statistic"] = (("statistic",), list(plan.record.reduce), {"long_name": "statistic over replicates"})
    else:
        found["replicate"] = (("replicate",), np.arange(plan.replicates), {"long_name": "replicate at a point"})
    steps = plan.record.burn_in + plan.every * np.arange(1, plan.records + 1, dtype=np.int64)
    found["step"] = (("step",), steps, {"units": "steps", "long_name": "step at which the record was taken"})
    sizes = {d: n for v in plan.variables for d, n in zip(v.dims, v.shape, strict=True)}
    for name, labels in plan.model.coords().items():
        if sizes.get(name) == len(labels):
            found[name] = ((name,), list(labels) if not isinstance(labels, np.ndarray) else labels, {})
    return found


class Memory:
    """Results kept in memory: filled block by block, like a store."""

    def __init__(self, plan: Plan):
        self.plan = plan
        kept = len(plan.record.reduce) or plan.replicates
        self.arrays = {}
        for v in plan.variables:
            dtype = np.dtype(np.float32) if plan.record.reduce and v.dtype.kind != "f" else v.dtype
            shape = (*plan.design.shape, kept, plan.records, *v.shape)
            self.arrays[v.name] = np.full(shape, fill_value(dtype), dtype)

    def commit(self, block: Block, arrays: Mapping[str, np.ndarray], *_: Any) -> None:
        """Put a block's records in their place."""
        for name, value in arrays.items():
            box = (*block.box[:-1], slice(None)) if self.plan.record.reduce else block.box
            self.arrays[name][(*box, block.records)] = value

    def dataset(self, identity: Mapping[str, Any], reports: list[dict]) -> Any:
        """The finished dataset."""
        import xarray

        kind = "statistic" if self.plan.record.reduce else "replicate"
        variables = {
            v.name: (
                (*self.plan.design.dims, kind, "step", *v.dims),
                self.arrays[v.name],
                {"units": v.unit, "long_name": v.doc},
            )
            for v in self.plan.variables
        }
        coords = {name: (dims, values, attrs) for name, (dims, values, attrs) in coordinates(self.plan).items()}
        return xarray.Dataset(variables, coords, attributes(identity, reports))


def attributes(identity: Mapping[str, Any], reports: list[dict]) -> dict[str, Any]:
    """Attributes of a dataset: what was run, with which versions, and which populations stopped being finite."""
    config = identity["config"]
    return {
        "model": config["model"]["name"],
        "config": json.dumps(config, sort_keys=True),
        "versions": json.dumps(identity["versions"], sort_keys=True),
        "tile": identity["layout"]["tile"],
        "nonfinite": json.dumps(reports),
    }


def load(store: str | os.PathLike) -> Any:
    """Open a run on disk as a lazily read `xarray.Dataset`, labels in place of codes.

    Args: `store`, the run's folder, such as "results/mine"; it may be unfinished, what is missing then reads as NaN.
    Returns: the dataset that `sweep` returns.
    Raises: StoreError where there is no run, or its manifest or data cannot be read.
    """
    import xarray

    path = path_of(store)
    if not path.is_dir():
        raise StoreError(f"{path}: no such run")
    manifest = Manifest(path)
    if not manifest.load():
        raise StoreError(f"{path}: not a run of jaxcoord, it has no manifest.json")
    content = manifest.content
    listed = content.get("metadata", {})
    problem = damage(path, listed) or next(
        (found for block in content["blocks"].values() if (found := damage(path, block["files"], read=False))), None
    )
    if problem or not listed:
        raise StoreError(f"{path}: {problem or 'was never begun'}; run the same command again to mend it")
    try:
        data = xarray.open_zarr(path / "data.zarr", consolidated=False)
    except Exception as error:  # zarr raises many kinds; a damaged description is one message here
        line = " ".join(str(error).split())[:200]
        raise StoreError(f"{path}/data.zarr: cannot be read ({line}); run the same command again to mend it") from None
    for name in list(data.coords):
        labels = data[name].attrs.pop("labels", None)
        if labels is not None:
            data = data.assign_coords({name: (data[name].dims, labels, data[name].attrs)})
    recorded = data.attrs.get("variables", list(data.data_vars))
    data = data.set_coords([name for name in data.data_vars if name not in recorded])[recorded]
    data.attrs = attributes(content["identity"], content["nonfinite"]) | {"title": path.name}
    return data
