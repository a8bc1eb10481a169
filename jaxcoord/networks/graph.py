"""A network as padded lists of neighbours, and its other forms: a matrix, a list of edges, a NetworkX graph.

Shapes: N nodes, K places for neighbours. The lists cost O(N K) where a matrix costs O(N^2): a million nodes fit.
"""

from __future__ import annotations

import operator
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from jaxcoord.errors import ParameterError

Array = jax.Array
LARGEST = 2**31 - 1  # entries of the lists are counted in int32


class Graph(NamedTuple):
    """Who is next to whom: row i lists those whom node i sees, in ascending order. Where edges have no direction, j
    stands in row i and i in row j.
    """

    neighbours: Array
    """`[N, K]` int32; an empty place holds the node's own number, so that every entry can be looked up."""
    valid: Array
    """`[N, K]` bool: the places that are taken, from the left."""
    dropped: Array
    """`[]` int32: entries for which K places were too few; 0 unless a width was given that some node outgrew."""


def whole(name: str, value: Any, low: int, high: int = LARGEST) -> int:
    """A whole number in a range. Raises: ParameterError that names it."""
    try:
        value = operator.index(value)
    except TypeError:
        raise ParameterError(f"{name} = {value!r}: a whole number is needed, {low} to {high}") from None
    if not low <= value <= high:
        raise ParameterError(f"{name} = {value}: out of range; allowed: {low} to {high}")
    return value


def listed(neighbours: Array, valid: Array | None = None, dropped: Any = 0) -> Graph:
    """A graph from its lists: the types made right, empty places filled with the node itself.

    Args: `neighbours [N, K]`, integers; `valid [N, K]`, by default all; `dropped`, entries that found no place.
    """
    neighbours = jnp.asarray(neighbours, jnp.int32)
    valid = jnp.ones(neighbours.shape, bool) if valid is None else jnp.asarray(valid, bool)
    own = jnp.arange(len(neighbours), dtype=jnp.int32)[:, None]
    return Graph(jnp.where(valid, neighbours, own), valid, jnp.asarray(dropped, jnp.int32))


def packed(source: Array, target: Array, valid: Array, nodes: int, width: int) -> Graph:
    """Lists from entries "source sees target" in any order, by one sort; runs on the device.

    Args:
      source, target: `[M]` int32, 0 to nodes - 1; valid: `[M]` bool, the entries that count.
      nodes: N; width: K, places for each node. Entries beyond a node's K-th are dropped, and counted.
    """
    source = jnp.where(valid, source, nodes)
    source, target = jax.lax.sort((source.astype(jnp.int32), target.astype(jnp.int32)), num_keys=2)
    first = jnp.searchsorted(source, jnp.arange(nodes + 1, dtype=jnp.int32)).astype(jnp.int32)
    degree = jnp.diff(first)
    place = jnp.arange(width, dtype=jnp.int32)
    # Read the K entries that follow a node's first: what lies beyond its own is masked.
    at = jnp.minimum(first[:-1, None] + place, max(len(target) - 1, 0))
    neighbours = target[at] if len(target) else jnp.zeros((nodes, width), jnp.int32)
    return listed(neighbours, place < degree[:, None], jnp.maximum(degree - width, 0).sum())


def from_dense(adjacency: Any, width: int | None = None) -> Graph:
    """Lists from a matrix.

    Args: `adjacency [N, N]`, row i true where i sees j; the diagonal does not count. `width` K, by default the largest
      degree where the matrix is a concrete one, else N - 1.
    Raises: ParameterError where the matrix is not square.
    """
    if getattr(adjacency, "ndim", 2) != 2 or len(np.shape(adjacency)) != 2 or len(set(np.shape(adjacency))) != 1:
        raise ParameterError(f"adjacency: shape {np.shape(adjacency)}; a square matrix [N, N] is needed")
    adjacency = jnp.asarray(adjacency).astype(bool)
    nodes = len(adjacency)
    adjacency = adjacency & ~jnp.eye(nodes, dtype=bool)
    if width is None:
        concrete = not isinstance(adjacency, jax.core.Tracer) and nodes > 0
        width = int(adjacency.sum(1).max()) if concrete else max(nodes - 1, 0)
    rank = jnp.cumsum(adjacency, 1, dtype=jnp.int32)
    # The s-th neighbour is the column before which s ones were counted.
    place = jnp.arange(1, width + 1, dtype=jnp.int32)
    found = jax.vmap(lambda row: jnp.searchsorted(row, place))(rank)
    degree = rank[:, -1] if nodes else jnp.zeros(0, jnp.int32)
    return listed(jnp.minimum(found, nodes - 1), place <= degree[:, None], jnp.maximum(degree - width, 0).sum())


def to_dense(graph: Graph) -> Array:
    """`[N, N]` bool: row i true where i sees j."""
    nodes = len(graph.neighbours)
    rows = jnp.arange(nodes)[:, None]
    return jnp.zeros((nodes, nodes), bool).at[rows, graph.neighbours].max(graph.valid)


def from_edges(edges: Any, nodes: int | None = None, width: int | None = None, directed: bool = False) -> Graph:
    """Lists from edges; loops and repeated edges are refused.

    Args: `edges [M, 2]`, pairs of nodes 0 to N - 1; `nodes` N, by default one more than the largest; `width` K, by
      default the largest degree; `directed`: the first of a pair sees the second, and not the other way.
    Raises: ParameterError for anything but pairs of distinct nodes in range, each once.
    """
    edges = np.asarray(edges)
    if not edges.size:
        edges = np.zeros((0, 2), np.int64)
    if edges.ndim != 2 or edges.shape[1] != 2 or edges.dtype.kind not in "iu":
        raise ParameterError(f"edges: shape {edges.shape}, {edges.dtype}; pairs [M, 2] of whole numbers are needed")
    edges = edges.astype(np.int64)
    nodes = whole("nodes", edges.max(initial=-1) + 1 if nodes is None else nodes, 0)
    outside = (edges < 0) | (edges >= nodes)
    if outside.any():
        raise ParameterError(f"edges: {edges[outside.any(1)][0].tolist()}; allowed nodes: 0 to {nodes - 1}")
    if (edges[:, 0] == edges[:, 1]).any():
        node = int(edges[edges[:, 0] == edges[:, 1]][0, 0])
        raise ParameterError(f"edges: [{node}, {node}] is a loop; an edge joins two different nodes")
    if not directed:
        edges = np.concatenate([edges, edges[:, ::-1]])
    order = np.lexsort((edges[:, 1], edges[:, 0]))
    edges = edges[order]
    twice = (edges[1:] == edges[:-1]).all(1)
    if twice.any():
        raise ParameterError(f"edges: {edges[1:][twice][0].tolist()} is given twice")
    degree = np.bincount(edges[:, 0], minlength=nodes)
    width = int(degree.max(initial=0)) if width is None else whole("width", width, 0)
    place = np.arange(len(edges)) - np.repeat(np.cumsum(degree) - degree, degree)
    kept = place < width
    neighbours, valid = np.zeros((nodes, width), np.int32), np.zeros((nodes, width), bool)
    neighbours[edges[kept, 0], place[kept]] = edges[kept, 1]
    valid[edges[kept, 0], place[kept]] = True
    return listed(jnp.asarray(neighbours), jnp.asarray(valid), int((~kept).sum()))


def to_edges(graph: Graph, directed: bool = False) -> np.ndarray:
    """`[M, 2]` on the host: each edge once, smaller node first; with `directed` each entry of the lists."""
    valid = np.asarray(graph.valid)
    source = np.repeat(np.arange(len(valid)), valid.sum(1))
    edges = np.column_stack([source, np.asarray(graph.neighbours)[valid]])
    return edges if directed else edges[edges[:, 0] < edges[:, 1]]


def from_networkx(graph: Any, width: int | None = None) -> Graph:
    """Lists from a NetworkX graph, its nodes numbered in its own order; loops are left out.

    Raises: ParameterError for a graph with parallel edges.
    """
    if graph.is_multigraph():
        raise ParameterError("graph: has parallel edges; networkx.Graph(graph) merges them")
    number = {node: i for i, node in enumerate(graph)}
    edges = [(number[a], number[b]) for a, b in graph.edges() if a != b]
    return from_edges(np.array(edges, np.int64).reshape(-1, 2), len(number), width, directed=graph.is_directed())


def to_networkx(graph: Graph, directed: bool = False) -> Any:
    """The NetworkX graph, or digraph, with nodes 0 to N - 1."""
    import networkx

    made = networkx.DiGraph() if directed else networkx.Graph()
    made.add_nodes_from(range(len(graph.neighbours)))
    made.add_edges_from(to_edges(graph, directed).tolist())
    return made


def _valued(graph: Graph, values: Any) -> Array:
    values = jnp.asarray(values)
    if values.shape[:1] != (len(graph.neighbours),):
        raise ParameterError(f"values: shape {values.shape}; [{len(graph.neighbours)}, ...], one for each node")
    return values


def _spread(mask: Array, values: Array) -> Array:
    return mask.reshape(mask.shape + (1,) * (values.ndim - 1))


def neighbour_sum(graph: Graph, values: Array) -> Array:
    """The sum over each node's neighbours, in O(N K D) operations and O(N D) memory.

    Args: `values [N, ...]`. Returns: `[N, ...]`; 0 for a node without neighbours.
    Raises: ParameterError where there is not a value for each node.
    """
    values = _valued(graph, values)
    return jnp.where(_spread(graph.valid, values), values[graph.neighbours], 0).sum(1)


def neighbour_mean(graph: Graph, values: Array, itself: bool = False) -> Array:
    """The mean over each node's neighbours.

    Args: `values [N, ...]`; `itself`: whether a node counts among its own neighbours.
    Returns: `[N, ...]`; a node without neighbours keeps its own value.
    Raises: as `neighbour_sum`.
    """
    values = _valued(graph, values)
    count = _spread(graph.valid.sum(1), values)
    total = neighbour_sum(graph, values)
    if itself:
        return (total + values) / (count + 1)
    return jnp.where(count > 0, total / jnp.maximum(count, 1), values)


def neighbour_max(graph: Graph, values: Array) -> tuple[Array, Array]:
    """The largest value among each node's neighbours, and the neighbour that has it, of equals the first listed.

    Args: `values [N]`. Returns: `[N]` values, minus infinity without neighbours, and `[N]` int32 nodes.
    """
    values = _valued(graph, values)
    if not graph.neighbours.shape[1]:
        return jnp.full(len(values), -jnp.inf), jnp.arange(len(values), dtype=jnp.int32)
    seen = jnp.where(graph.valid, values[graph.neighbours], -jnp.inf)
    best = seen.argmax(1)
    return seen.max(1), jnp.take_along_axis(graph.neighbours, best[:, None], 1)[:, 0]
