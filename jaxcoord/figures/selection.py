"""What a dataset holds: which of its dims are swept, and the part of it that a figure shows, with what was left out."""

from __future__ import annotations

import itertools
import textwrap
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from jaxcoord.errors import ParameterError, nearest
from jaxcoord.figures import labels
from jaxcoord.figures.lines import hue_labels

PANELS = 6  # labels of a category that one figure shows
OWN_DIMS = 2  # dims of an observable's own that can be labels


class Roles(NamedTuple):
    """The dims of a variable by what they stand for."""

    numeric: list[str]  # swept, on an axis: dims, or columns of `point`
    categorical: list[str]  # swept, labels
    own: list[str]  # the observable's


def variable(data: Any, name: str | None) -> Any:
    """The variable to draw: the one named or the first, as numbers; true and false are 1 and 0.

    Raises: ParameterError for an empty dataset, an unknown name, or a variable that does not hold numbers.
    """
    found = [str(key) for key in data.data_vars]
    if not found:
        raise ParameterError("plot: the dataset holds no variable")
    if name is not None and name not in found:
        raise ParameterError(f"variable = {name!r}: not in the dataset{nearest(name, found)}")
    array = data[name or found[0]]
    if array.dtype.kind not in "iufb":
        raise ParameterError(f"variable = {array.name!r}: holds {array.dtype}; numbers are needed")
    if not array.size:
        empty = [str(dim) for dim, size in array.sizes.items() if not size]
        raise ParameterError(f"variable = {array.name!r}: is empty along {', '.join(empty)}")
    for key in data.coords:  # matrices, which xarray leaves behind with their dims
        if "parameter" in data[key].attrs and data[key].ndim > 1 and data[key].dims[0] in array.dims:
            dim, texts = data[key].dims[0], [matrix(value) for value in data[key].values]
            array = array.assign_coords({key: (dim, texts, data[key].attrs)})
    return array


def matrix(value: np.ndarray) -> str:
    """A small matrix as a label, a row after the other: `[1 0; 0 1]`."""
    rows = np.reshape(value, (-1, value.shape[-1]))
    text = "; ".join(" ".join(labels.number(entry) for entry in row) for row in rows)
    return f"[{textwrap.shorten(text, 40, placeholder=' ...')}]"


def roles(data: Any) -> Roles:
    """The roles of the dims of a variable; a dim of length one has none.

    Raises: ParameterError where more than two dims are the observable's own.
    """
    numeric, categorical, own = [], [], []
    for dim in map(str, data.dims):
        if data.sizes[dim] == 1 or dim in ("replicate", "statistic", "step"):
            continue
        if dim == "point":
            numeric += [name for name in parameters(data, dim) if varies(data, name)]
            categorical += [] if numeric else [dim]
        elif dim in parameters(data, dim):
            (numeric if labels.is_numeric(data[dim]) else categorical).append(dim)
        elif parameters(data, dim):
            categorical.append(dim)
        else:
            own.append(dim)
    if len(own) > OWN_DIMS:
        raise ParameterError(
            f"variable = {data.name!r}: has the dims {', '.join(own)} of its own; at most {OWN_DIMS} can be drawn: "
            f"choose a label of the others, at={{{own[-1]!r}: ...}}"
        )
    return Roles(numeric, categorical, own)


def parameters(data: Any, dim: str) -> list[str]:
    """Names of the swept parameters whose values run along a dim, the first of their dims."""
    return [str(c) for c in data.coords if "parameter" in data[c].attrs and data[c].dims[:1] == (dim,)]


def varies(data: Any, name: str) -> bool:
    """Whether a swept parameter is a number and takes more than one value."""
    return labels.is_numeric(data[name]) and len(np.unique(data[name].values)) > 1


def select(data: Any, at: Mapping[str, Any]) -> tuple[Any, list[str]]:
    """(data, words): the part at given values, the nearest for numbers.

    Raises: ParameterError for an unknown dim or label.
    """
    said = []
    for name, value in at.items():
        if name not in data.dims:
            raise ParameterError(f"at: {name!r} is no dim of {data.name!r}{nearest(str(name), map(str, data.dims))}")
        if name in data.coords and labels.is_numeric(data[name]):
            if isinstance(value, bool) or not isinstance(value, int | float | np.number) or not np.isfinite(value):
                raise ParameterError(f"at: {name} = {value!r}: a number is needed")
            index = int(np.argmin(np.abs(labels.coordinate(data, name) - float(value))))
        else:
            known = values_of(data, name)
            if str(value) not in known:
                raise ParameterError(f"at: {name} = {value!r}: no such label{nearest(str(value), known)}")
            index = known.index(str(value))
        said.append(f"{name} = {values_of(data, name)[index]}")
        data = data.isel({name: index})
    return data, said


def middle(data: Any, dims: list[str]) -> tuple[Any, list[str]]:
    """(data, words): the middle value of each of the dims, said; dims of length one are dropped, swept ones said."""
    said = []
    for dim in map(str, data.dims):
        if dim in ("replicate", "statistic", "step") or (dim not in dims and data.sizes[dim] > 1):
            continue
        index = data.sizes[dim] // 2
        for name in parameters(data, dim) or ([dim] if dim in dims else []):
            if name in data.coords and data[name].ndim == 1:
                said.append(f"{name} = {labels.number(data[name].values[index])}")
        data = data.isel({dim: index})
    return data, said


def values_of(data: Any, dim: str) -> list[str]:
    """The labels of a dim, or the values of a parameter along it, as texts; indices where it has no coordinate."""
    known = dim in data.coords and data[dim].ndim == 1
    values = data[dim].values if known else range(data.sizes.get(dim, len(data[dim])))
    return [labels.number(value) for value in values]


def last_half(data: Any) -> tuple[Any, str]:
    """(data, words): the last half of the records, still to be averaged."""
    if "step" not in data.dims:
        return data, ""
    steps = data["step"].values if "step" in data.coords else np.arange(data.sizes["step"])
    first = len(steps) // 2
    words = f"step {steps[0]}" if len(steps) == 1 else f"mean over steps {steps[first]}\N{EN DASH}{steps[-1]}"
    return data.isel(step=slice(first, None)), words


def time_mean(data: Any) -> Any:
    """The mean over the records, of what is finite."""
    return finite(data).mean("step", dtype=np.float64, keep_attrs=True) if "step" in data.dims else data


def finite(data: Any) -> Any:
    """Values that are not finite masked; integers and truth values as they are."""
    return data.where(np.isfinite(data)) if data.dtype.kind == "f" else data


def nonfinite(parts: Sequence[Any]) -> str:
    """Words that count the values that are not finite, none where all are."""
    parts = [part for part in parts if part.dtype.kind == "f"]
    count, size = sum(int((~np.isfinite(part.values)).sum()) for part in parts), sum(part.size for part in parts)
    return f"{count} of {size} values not finite, left out" if count else ""


def labelled(data: Any, dims: list[str]) -> tuple[list[tuple[str, Any]], str]:
    """(slices, words): (label, data) for each combination of labels of the dims, the first six; words where cut."""
    dims = [dim for dim in dims if dim in data.dims]
    names = [hue_labels(data, dim) for dim in dims]
    combinations = list(itertools.product(*(range(len(n)) for n in names)))
    slices = []
    for indices in combinations[:PANELS]:
        text = ", ".join(n[i] for n, i in zip(names, indices, strict=True))
        slices.append((text, data.isel(dict(zip(dims, indices, strict=True)))))
    cut = f"the first {PANELS} of {len(combinations)} labels of {' and '.join(dims)}"
    return slices, cut if len(combinations) > PANELS else ""
