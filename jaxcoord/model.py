"""What a model is: a frozen pytree with `init`, `step` and `observe`, written for one population.

Numeric parameters (`param`) are leaves, so a sweep is a stack of models. Structural ones (`static`) are part of the
tree's structure, so each value has its own compiled program. A `component` is a part with fields of its own, such as
the game of an evolutionary model. All that a person, the config reader, the command line, the store and the plots
know about a number stands on its field and is derived from there.
"""

from __future__ import annotations

import dataclasses
import math
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar, TypeVar

import jax
import numpy as np

from jaxcoord import registry
from jaxcoord.errors import ParameterError, nearest

Array = jax.Array
C = TypeVar("C", bound="Component")


@dataclasses.dataclass(frozen=True)
class Field:
    """What is known about one field of a component (see `param`, `static` and `component`)."""

    kind: str
    doc: str
    unit: str = "1"
    low: float = -math.inf
    high: float = math.inf
    choices: tuple[str, ...] = ()
    shape: tuple[str, ...] = ()
    base: type | None = None

    @property
    def allowed(self) -> str:
        """The permitted values, in words."""
        if self.choices:
            return "one of " + ", ".join(repr(c) for c in self.choices)
        if self.low == -math.inf and self.high == math.inf:
            return "any finite number"
        low, high = (f"{x:.0f}" if math.isfinite(x) and x == int(x) else f"{x:g}" for x in (self.low, self.high))
        if self.high == math.inf:
            return f"at least {low}"
        if self.low == -math.inf:
            return f"at most {high}"
        return f"{low} to {high}"


@dataclasses.dataclass(frozen=True)
class Observable:
    """What is known about one named array that a model's `observe` returns (see `observable`)."""

    doc: str
    dims: tuple[str, ...]
    unit: str
    undefined: bool = False


def param(
    default: Any,
    *,
    doc: str,
    unit: str = "1",
    low: float = -math.inf,
    high: float = math.inf,
    shape: Sequence[str] = (),
) -> Any:
    """A numeric parameter: a leaf of the model, swept and batched without recompiling.

    Args:
      default: a number, or nested lists for an array parameter.
      doc: what it means, one line.
      unit: its unit; "1" is dimensionless.
      low, high: the closed range of allowed values.
      shape: names of the axes of an array parameter, such as `("S", "S")`; empty for a number.
    """
    meta = Field("param", doc, unit, low, high, (), tuple(shape))
    if shape:
        return dataclasses.field(default_factory=lambda: np.asarray(default, float), metadata={"jaxcoord": meta})
    return dataclasses.field(default=default, metadata={"jaxcoord": meta})


def static(
    default: Any,
    *,
    doc: str,
    unit: str = "1",
    low: float = -math.inf,
    high: float = math.inf,
    choices: Sequence[str] = (),
) -> Any:
    """A structural parameter: it fixes shapes or branches, and every value of it is compiled on its own.

    Args as for `param`; `choices` lists the allowed words of a text field.
    """
    meta = Field("static", doc, unit, low, high, tuple(choices))
    return dataclasses.field(default=default, metadata={"jaxcoord": meta})


def component(default: Callable[[], Any], *, doc: str, base: type | None = None) -> Any:
    """A part with fields of its own, such as a game.

    Args: `default` builds the one that is used when none is given; `base` is the class that any other must have,
      `Component` by default.
    """
    return dataclasses.field(default_factory=default, metadata={"jaxcoord": Field("component", doc, base=base)})


def observable(*, doc: str, dims: Sequence[str] = (), unit: str = "1", undefined: bool = False) -> Any:
    """An array that `observe` returns under this name.

    Args: `doc`, what it means, one line; `dims`, a name for each axis, none for a number; `unit`, "1" if dimensionless;
      `undefined`, whether NaN says that there is no such quantity (a correlation with a constant), and is no fault.
    """
    return Observable(doc, tuple(dims), unit, undefined)


class Component:
    """A frozen dataclass that is a pytree: its `param` and `component` fields are children, `static` ones structure.

    A subclass is registered under `name` (its class name in kebab-case by default) so that a config can ask for it;
    `abstract=True` makes a base class that is not.
    """

    fields: ClassVar[dict[str, Field]] = {}
    registered_name: ClassVar[str] = ""

    if TYPE_CHECKING:

        def __init__(self, *values: Any, **named: Any): ...

    def __init_subclass__(cls, *, name: str | None = None, abstract: bool = False, **kwargs: Any):
        super().__init_subclass__(**kwargs)
        dataclasses.dataclass(frozen=True, eq=False)(cls)
        cls.fields = {}
        for field in declared(cls):
            if "jaxcoord" not in field.metadata:
                raise TypeError(f"{cls.__name__}.{field.name}: declare it with param(), static() or component()")
            cls.fields[field.name] = field.metadata["jaxcoord"]
        children = [n for n, f in cls.fields.items() if f.kind != "static"]
        structure = [n for n, f in cls.fields.items() if f.kind == "static"]

        def flatten_with_keys(self):
            keyed = [(jax.tree_util.GetAttrKey(n), getattr(self, n)) for n in children]
            return keyed, tuple(getattr(self, n) for n in structure)

        def flatten(self):
            return [getattr(self, n) for n in children], tuple(getattr(self, n) for n in structure)

        def unflatten(values, leaves):
            # Not through __init__: a tree of tracers or of placeholders is not checked.
            self = object.__new__(cls)
            for n, value in zip(children, leaves, strict=True):
                object.__setattr__(self, n, value)
            for n, value in zip(structure, values, strict=True):
                object.__setattr__(self, n, value)
            return self

        jax.tree_util.register_pytree_with_keys(cls, flatten_with_keys, unflatten, flatten)
        if not abstract:
            cls.registered_name = name or re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "-", cls.__name__).lower().replace("_", "-")
            registry.register(cls.registered_name, cls)

    def __post_init__(self):
        for field in declared(type(self)):
            object.__setattr__(self, field.name, checked(type(self), field, getattr(self, field.name)))


def declared(cls: Any) -> tuple[dataclasses.Field, ...]:
    """The dataclass fields of a component class, in order."""
    return dataclasses.fields(cls)


def checked(cls: type[Component], field: dataclasses.Field, value: Any) -> Any:
    """The value of one field in its canonical type, or a ParameterError that says what is allowed.

    A number becomes a Python number, an array parameter a float64 array; JAX arrays and tracers pass as they are.
    """
    meta: Field = field.metadata["jaxcoord"]
    where = f"{cls.registered_name or cls.__name__}.{field.name}"
    kind = getattr(field.type, "__name__", str(field.type))
    if meta.kind == "component":
        base = meta.base or Component
        if not isinstance(value, base):
            given = value.registered_name if isinstance(value, Component) else value
            raise ParameterError(f"{where} = {given!r}: a {base.__name__.lower()} is needed, see `jaxcoord models`")
        return value
    if isinstance(value, jax.core.Tracer):
        return value
    if isinstance(value, jax.Array):
        value = np.asarray(value)
    if meta.shape:
        return checked_array(where, meta, value)
    if kind == "str" or meta.choices:
        if not isinstance(value, str) or (meta.choices and value not in meta.choices):
            raise ParameterError(f"{where} = {value!r}: {meta.allowed}{nearest(str(value), meta.choices)}")
        return value
    if kind == "bool":
        if not isinstance(value, bool | np.bool_):
            raise ParameterError(f"{where} = {value!r}: true or false is needed")
        return bool(value)
    if meta.kind == "static" and kind not in ("int", "float"):
        return value
    if isinstance(value, np.ndarray) and value.ndim == 0:
        value = value.item()
    if isinstance(value, bool | np.bool_) or not isinstance(value, int | float | np.integer | np.floating):
        raise ParameterError(f"{where} = {value!r}: a number is needed, {meta.allowed}")
    if not math.isfinite(value):
        raise ParameterError(f"{where} = {value!r}: not finite; allowed: {meta.allowed}")
    if kind == "int" and value != int(value):
        raise ParameterError(f"{where} = {value!r}: a whole number is needed, {meta.allowed}")
    if meta.kind == "param" and abs(float(value)) > largest(kind):
        raise ParameterError(f"{where} = {value!r}: too large for the device, at most {largest(kind):.10g}")
    if not meta.low <= value <= meta.high:
        raise ParameterError(f"{where} = {value!r}: out of range; allowed: {meta.allowed}")
    return int(value) if kind == "int" else float(value)


def largest(kind: str) -> float:
    """The largest number of a parameter's type on the device."""
    flags: Any = jax.config
    wide = flags.jax_enable_x64
    if kind == "int":
        return float(2**63 - 1 if wide else 2**31 - 1)
    return float(np.finfo(np.float64 if wide else np.float32).max)


def checked_array(where: str, meta: Field, value: Any) -> np.ndarray:
    """An array parameter as float64, or a ParameterError: ragged, not numeric, wrong axes, not finite, out of range."""
    try:
        array = np.asarray(value)
    except ValueError:
        array = np.asarray("ragged")
    if array.dtype.kind not in "iuf":
        raise ParameterError(f"{where}: an array of numbers with axes {list(meta.shape)} is needed")
    array = array.astype(float)
    if array.ndim != len(meta.shape):
        raise ParameterError(f"{where}: {array.ndim} axes; needed: {len(meta.shape)}, {list(meta.shape)}")
    sizes: dict[str, int] = {}
    for axis, size in zip(meta.shape, array.shape, strict=True):
        if sizes.setdefault(axis, size) != size:
            raise ParameterError(f"{where}: shape {array.shape}; both axes named {axis!r} must have the same length")
    if not np.isfinite(array).all():
        at = tuple(int(i) for i in np.argwhere(~np.isfinite(array))[0])
        raise ParameterError(f"{where}{list(at)} = {array[at]}: not finite; allowed: {meta.allowed}")
    if ((array < meta.low) | (array > meta.high)).any():
        raise ParameterError(f"{where}: out of range; allowed: {meta.allowed}")
    return array


class Model(Component, abstract=True):
    """A population model: three pure methods for ONE population; the engine adds the batch axis.

    `observe` returns a dict with one array for each `observable` of the class. `coords` may name the entries of an
    observable's dimension, and `agents` says how many individuals one step updates, for the rate that progress shows.
    """

    observables: ClassVar[dict[str, Observable]] = {}

    def __init_subclass__(cls, **kwargs: Any):
        super().__init_subclass__(**kwargs)
        cls.observables = {
            name: value for base in reversed(cls.__mro__) for name, value in vars(base).items()
            if isinstance(value, Observable)
        }  # fmt: skip

    def init(self, key: Array) -> Any:
        """The state of a population at step 0, any pytree of arrays, drawn with `key`."""
        raise TypeError(f"{type(self).__name__}.init(self, key) is missing: it returns the state at step 0")

    def step(self, state: Any, key: Array) -> Any:
        """The state one step later, of the same structure, shapes and types; `key` is fresh in every step."""
        raise TypeError(f"{type(self).__name__}.step(self, state, key) is missing: it returns the next state")

    def observe(self, state: Any) -> dict[str, Array]:
        """The named arrays that may be recorded, one for each `observable` of the class, with its dims."""
        raise TypeError(f"{type(self).__name__}.observe(self, state) is missing: it returns a dict of arrays")

    def coords(self) -> Mapping[str, Sequence[Any]]:
        """Labels of the observables' dimensions, such as `{"strategy": ("hawk", "dove")}`."""
        return {}

    @property
    def agents(self) -> int:
        """Individuals that one step updates."""
        return 1


def parameters(root: Component | type[Component], prefix: str = "") -> Iterator[tuple[str, Field]]:
    """Every `param` and `static` field of a component and its parts, with its dotted path."""
    for name, meta in root.fields.items():
        if meta.kind == "component":
            part = getattr(root, name) if isinstance(root, Component) else None
            if isinstance(part, Component):
                yield from parameters(part, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}", meta


def parts(root: Component) -> Iterator[Component]:
    """A component, and every component in its fields."""
    yield root
    for field in declared(root):
        value = getattr(root, field.name)
        if isinstance(value, Component):
            yield from parts(value)


def resolve(root: Component, name: str) -> str:
    """The full path of a parameter given by its path or by its last part where that is unambiguous.

    Raises: ParameterError where no parameter, or more than one, has the name.
    """
    paths = [path for path, _ in parameters(root)]
    wanted = name.removeprefix("model.")
    if wanted in paths:
        return wanted
    short = [path for path in paths if path.rpartition(".")[2] == wanted]
    if len(short) == 1:
        return short[0]
    if short:
        raise ParameterError(f"parameter {name!r} is ambiguous: {', '.join(short)}")
    tails = {path.rpartition(".")[2] for path in paths}
    raise ParameterError(f"unknown parameter {name!r} of {root.registered_name!r}{nearest(wanted, {*paths, *tails})}")


def get(root: Component, path: str) -> Any:
    """The value at a dotted path."""
    for part in path.split("."):
        root = getattr(root, part)
    return root


def replace(root: C, values: Mapping[str, Any]) -> C:
    """A copy with the values at the given dotted paths, checked."""
    direct: dict[str, Any] = {}
    nested: dict[str, dict[str, Any]] = {}
    for path, value in values.items():
        head, _, tail = path.partition(".")
        if tail:
            nested.setdefault(head, {})[tail] = value
        else:
            direct[head] = value
    for head, inner in nested.items():
        direct[head] = replace(direct.get(head, getattr(root, head)), inner)
    return dataclasses.replace(root, **direct)  # type: ignore[type-var]


def describe_value(value: Any) -> Any:
    """A field's value as plain data for a config or a manifest."""
    if isinstance(value, Component):
        return to_plain(value)
    if isinstance(value, np.ndarray | jax.Array | np.generic):
        return np.asarray(value).tolist()
    return value


def to_plain(root: Component) -> dict[str, Any]:
    """A component as nested plain data: its registered name and every field, defaults written out."""
    return {"name": root.registered_name} | {n: describe_value(getattr(root, n)) for n in root.fields}
