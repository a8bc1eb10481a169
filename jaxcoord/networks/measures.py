"""What a network is like: degrees, clustering, connected components; all on the device."""

from __future__ import annotations

import jax
import jax.numpy as jnp

from jaxcoord.networks.graph import LARGEST, Graph, to_dense

Array = jax.Array
BLOCK = 1 << 22  # comparisons of neighbours made at once
DENSE = 2048  # nodes up to which a matrix is the faster way to count triangles


def degree(graph: Graph) -> Array:
    """`[N]` int32: neighbours of each node."""
    return graph.valid.sum(1, dtype=jnp.int32)


def degree_distribution(graph: Graph) -> Array:
    """`[K+1]`: the share of nodes with 0, 1, ..., K neighbours."""
    nodes, width = graph.valid.shape
    counts = jnp.zeros(width + 1, jnp.int32).at[degree(graph)].add(1)
    return counts / jnp.asarray(nodes, float)


def clustering(graph: Graph) -> Array:
    """The share of pairs of a node's neighbours that are joined themselves.

    By a product of matrices for up to 2,048 nodes; beyond, every pair of entries in every neighbour's list is compared,
    O(N K^3), a block of nodes at a time.

    Returns: `[N]`; 0 for a node with fewer than two neighbours.
    Source: Watts & Strogatz 1998.
    """
    nodes, width = graph.neighbours.shape

    def triangles(node):
        near, known = graph.neighbours[node], graph.valid[node]
        second, seen = graph.neighbours[near], graph.valid[near] & known[:, None]
        return ((second[:, :, None] == near) & seen[:, :, None] & known).sum(dtype=jnp.int32)

    if not width:
        return jnp.zeros(nodes)
    if nodes <= DENSE:
        matrix = to_dense(graph).astype(jnp.float32)
        found = (matrix @ matrix * matrix).sum(1)
    else:
        found = jax.lax.map(triangles, jnp.arange(nodes), batch_size=max(1, min(nodes, BLOCK // width**3)))
    pairs = degree(graph) * (degree(graph) - 1.0)
    return jnp.where(pairs > 0, found / jnp.maximum(pairs, 1.0), 0.0)


@jax.jit
def components(graph: Graph) -> Array:
    """The connected component of each node, named by its smallest node; edges without direction.

    Every node takes the smallest name among itself and its neighbours, and then the name that the node of this name
    has: a name travels twice as far in each round.

    Returns: `[N]` int32.
    """
    everybody = jnp.arange(len(graph.neighbours), dtype=jnp.int32)

    def spread(carry):
        names, _ = carry
        near = jnp.where(graph.valid, names[graph.neighbours], names[:, None]).min(1, initial=LARGEST)
        lower = jnp.minimum(names, near)
        lower = lower[lower]
        return lower, (lower != names).any()

    return jax.lax.while_loop(lambda carry: carry[1], spread, (everybody, jnp.asarray(True)))[0]


def is_connected(graph: Graph) -> Array:
    """`[]` bool: whether every node can be reached from every other, along edges without direction."""
    return (components(graph) == 0).all()


def component_sizes(graph: Graph) -> Array:
    """`[N]` int32: nodes of the component that each node belongs to."""
    names = components(graph)
    return jnp.zeros_like(names).at[names].add(1)[names]
