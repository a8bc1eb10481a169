"""Networks made on the device: every random one is a pure function of a key, with shapes fixed before it is drawn.

Numbers of nodes and widths are Python integers; probabilities may be traced. Where a node's degree has no bound below
N - 1, `width` sets the places for neighbours: what finds none is left out on that side and counted in `Graph.dropped`.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jaxcoord import random
from jaxcoord.errors import ParameterError
from jaxcoord.networks.graph import LARGEST, Graph, from_dense, listed, packed, whole

Array = jax.Array
ROUNDS = 10_000  # redraws of what makes a loop or a double edge; some tens are needed


def _degree(name: str, degree: Any, nodes: int, even: bool) -> int:
    degree = whole(name, degree, 0, nodes - 1)
    if even and degree % 2:
        raise ParameterError(f"{name} = {degree}: an even number is needed, half of it on each side")
    if nodes * degree > LARGEST:
        raise ParameterError(f"nodes = {nodes}, {name} = {degree}: more than {LARGEST} neighbours in all")
    return degree


def _width(width: int, nodes: int) -> int:
    width = whole("width", width, 0, max(nodes - 1, 0)) or max(nodes - 1, 0)
    if nodes * width > LARGEST:
        raise ParameterError(f"width = {width} for {nodes} nodes: more than {LARGEST} places; give a smaller width")
    return width


def _probability(name: str, value: Any) -> Array:
    value = jnp.asarray(value, float)
    if not isinstance(value, jax.core.Tracer) and not bool(((value >= 0) & (value <= 1)).all()):
        raise ParameterError(f"{name} = {value}: a probability, 0 to 1, is needed")
    return value


def complete_graph(nodes: int) -> Graph:
    """Everybody next to everybody: degree N - 1."""
    nodes = whole("nodes", nodes, 1)
    _width(0, nodes)
    place = jnp.arange(max(nodes - 1, 0), dtype=jnp.int32)
    return listed(place + (place >= jnp.arange(nodes, dtype=jnp.int32)[:, None]))


def ring_graph(nodes: int, degree: int = 2) -> Graph:
    """Nodes on a circle, each next to the `degree` / 2 nearest on either side.

    Raises: ParameterError where `degree` is odd or not below N.
    """
    nodes = whole("nodes", nodes, 1)
    half = _degree("degree", degree, nodes, even=True) // 2
    ahead = np.arange(1, half + 1)
    offsets = jnp.asarray(np.concatenate([-ahead[::-1], ahead]), jnp.int32)
    return listed(jnp.sort((jnp.arange(nodes, dtype=jnp.int32)[:, None] + offsets) % nodes, 1))


def lattice_graph(rows: int, columns: int, moore: bool = False, wrap: bool = True) -> Graph:
    """A rectangular grid, nodes numbered row by row.

    Args: `moore`: eight neighbours, with the diagonal ones, instead of the four of von Neumann; `wrap`: opposite sides
      join, which takes at least three rows and columns.
    """
    low = 3 if wrap else 1
    rows, columns = whole("rows", rows, low), whole("columns", columns, low)
    if rows * columns * 8 > LARGEST:
        raise ParameterError(f"rows = {rows}, columns = {columns}: more than {LARGEST // 8} nodes")
    around = [(a, b) for a in (-1, 0, 1) for b in (-1, 0, 1) if (a, b) != (0, 0) and (moore or not a or not b)]
    offsets = jnp.asarray(np.array(around), jnp.int32)
    number = jnp.arange(rows * columns, dtype=jnp.int32)[:, None]
    row, column = number // columns + offsets[:, 0], number % columns + offsets[:, 1]
    if wrap:
        return listed(jnp.sort((row % rows) * columns + column % columns, 1))
    inside = (row >= 0) & (row < rows) & (column >= 0) & (column < columns)
    order = jnp.argsort(~inside, 1, stable=True)
    found = jnp.take_along_axis(row * columns + column, order, 1)
    return listed(found, jnp.take_along_axis(inside, order, 1))


def random_regular_graph(key: Array, nodes: int, degree: int) -> Graph:
    """A random graph in which every node has the same degree.

    Ends of edges are paired at random (the configuration model); each loop or double edge is then exchanged with a
    random edge where that makes neither, until none is left. More than half of all edges: the complement of such a
    graph. Uniform up to the exchanges, a share of the order of degree / N of the edges.

    Raises: ParameterError where `degree` is not below N, or N times `degree` is odd.
    Source: Bollobas 1980; exchanges as in McKay & Wormald 1990, without their rejection.
    """
    nodes = whole("nodes", nodes, 1)
    degree = _degree("degree", degree, nodes, even=False)
    if nodes * degree % 2:
        raise ParameterError(f"degree = {degree} for {nodes} nodes: their product must be even, an edge has two ends")
    if 2 * degree > nodes - 1:
        rest = random_regular_graph(key, nodes, nodes - 1 - degree)
        taken = jnp.zeros((nodes, nodes), bool).at[jnp.arange(nodes)[:, None], rest.neighbours].max(rest.valid)
        return from_dense(~taken, degree)
    if not degree:
        return listed(jnp.zeros((nodes, 0), jnp.int32))
    return _paired(key, nodes, degree)


@partial(jax.jit, static_argnames=("nodes", "degree"))
def _paired(key: Array, nodes: int, degree: int) -> Graph:
    ends = nodes * degree
    few = min(ends, 64 + 4 * degree**2)  # exchanges tried in a round: a pairing has some degree**2 / 4 bad edges
    # One sort of 32-bit words: where two of ten million are equal, their order is not random, which no one can tell.
    words = jax.random.bits(jax.random.fold_in(key, 0), (ends,), jnp.uint32)
    order = jax.lax.sort((words, jnp.arange(ends, dtype=jnp.int32)), num_keys=1)[1].reshape(-1, 2)
    mate = jnp.zeros(ends, jnp.int32).at[order].set(order[:, ::-1], unique_indices=True)

    def faulty(mate):
        # Ends whose edge is a loop, or goes where an earlier place of the same node goes already.
        near = (mate // degree).reshape(nodes, degree)
        place = jnp.arange(degree)

        def compare(s, again):
            own = jax.lax.dynamic_slice_in_dim(near, s, 1, 1)
            twice = ((near == own) & (place < s)).any(1)
            return again | (twice[:, None] & (place == s))

        again = jax.lax.fori_loop(1, degree, compare, jnp.zeros((nodes, degree), bool))
        return (again | (near == jnp.arange(nodes)[:, None])).ravel()

    def next_to(mate, a, b):
        places = a[:, None] * degree + jnp.arange(degree)
        return (mate[places] // degree == b[:, None]).any(1)

    def exchange(carry):
        mate, bad, turn = carry
        here = jnp.nonzero(bad, size=few, fill_value=ends)[0].astype(jnp.int32)
        live = here < ends
        here = jnp.minimum(here, ends - 1)
        draws = jax.random.bits(jax.random.fold_in(key, turn), (2, few), jnp.uint32)
        there = random.index_below(draws[0], jnp.uint32(ends)).astype(jnp.int32)
        mine, yours = mate[here], mate[there]
        node = [end // degree for end in (here, yours, there, mine)]
        fine = ~next_to(mate, node[0], node[1]) & ~next_to(mate, node[2], node[3])
        fine &= (node[0] != node[1]) & (node[2] != node[3])
        # One in eight is exchanged whatever it makes: in a small graph there may be no other way on.
        live &= (fine | (draws[1] < 2**29)) & (there != here) & (there != mine)
        # Of exchanges that share an end the first is made.
        touched = jnp.stack([here, mine, there, yours])
        turns = jnp.where(live, jnp.arange(few), few)
        first = jnp.full(ends, few).at[touched].min(turns)
        won = live & (first[touched] == turns).all(0)
        to = jnp.where(won, jnp.stack([here, yours, there, mine]), ends)
        mate = mate.at[to].set(jnp.stack([yours, here, mine, there]), mode="drop")
        return mate, faulty(mate), turn + 1

    mate, _, _ = jax.lax.while_loop(
        lambda carry: carry[1].any() & (carry[2] < ROUNDS), exchange, (mate, faulty(mate), jnp.int32(1))
    )
    return listed(jnp.sort((mate // degree).reshape(nodes, degree), 1))


def erdos_renyi_matrix(key: Array, nodes: int, probability: Any) -> Array:
    """`[N, N]` bool, symmetric: every pair is joined with the same probability, independently.

    Source: Gilbert 1959; Erdos & Renyi 1959.
    """
    nodes = whole("nodes", nodes, 1)
    return _symmetric(jax.random.uniform(key, (nodes, nodes)) < _probability("probability", probability))


def _symmetric(drawn: Array) -> Array:
    upper = jnp.triu(drawn, 1)
    return upper | upper.T


def erdos_renyi_graph(key: Array, nodes: int, probability: Any, width: int = 0) -> Graph:
    """Every pair is joined with the same probability, independently; drawn as a matrix, N^2 numbers.

    Args: `width`, places for neighbours; 0: N - 1, room for all. The degree is binomial (N - 1, probability).
    """
    return from_dense(erdos_renyi_matrix(key, nodes, probability), _width(width, nodes))


def block_of(sizes: Sequence[int]) -> np.ndarray:
    """`[N]`: the block of each node, where blocks follow one another with these sizes."""
    return np.repeat(np.arange(len(sizes)), [whole("sizes", size, 1) for size in sizes])


def stochastic_block_matrix(key: Array, sizes: Sequence[int], probabilities: Any) -> Array:
    """`[N, N]` bool, symmetric: pairs are joined independently, with a probability that depends on their two blocks.

    Args: `sizes`, nodes of each of B blocks; `probabilities [B, B]`, symmetric.
    Raises: ParameterError where the shapes differ, or a concrete matrix is not symmetric or no probability.
    Source: Holland, Laskey & Leinhardt 1983.
    """
    block = block_of(sizes)
    probabilities = _probability("probabilities", probabilities)
    if probabilities.shape != (len(sizes), len(sizes)):
        raise ParameterError(f"probabilities: shape {probabilities.shape}; [{len(sizes)}, {len(sizes)}] is needed")
    concrete = not isinstance(probabilities, jax.core.Tracer)
    if concrete and not bool((probabilities == probabilities.T).all()):
        raise ParameterError("probabilities: not symmetric; the edges have no direction")
    chance = probabilities[block[:, None], block]
    return _symmetric(jax.random.uniform(key, chance.shape) < chance)


def stochastic_block_graph(key: Array, sizes: Sequence[int], probabilities: Any, width: int = 0) -> Graph:
    """Pairs are joined with a probability that depends on their blocks; drawn as a matrix, N^2 numbers.

    Args, raises, source as in `stochastic_block_matrix`; `width` as in `erdos_renyi_graph`.
    """
    return from_dense(stochastic_block_matrix(key, sizes, probabilities), _width(width, sum(sizes)))


def watts_strogatz_width(nodes: int, degree: int) -> int:
    """Places that a small world needs: a node outgrows them with probability below 1e-9 in the whole network.

    At most half of `degree` on its own side, as many that were not redrawn towards it, and a number of redrawn ones
    that is Poisson with mean at most `degree` / 2.
    """
    from scipy.stats import poisson

    return min(max(nodes - 1, 0), degree + int(poisson.isf(1e-9 / nodes, degree / 2)) if degree else 0)


def watts_strogatz_graph(key: Array, nodes: int, degree: int, rewiring: Any, width: int = 0) -> Graph:
    """A small world: a ring on which each edge is redrawn with a probability.

    Each edge keeps its first node; a redrawn one leads to a uniformly drawn other node, anew where that makes a loop,
    a double edge or the edge that was there. All at once, where NetworkX redraws one after the other.

    Args: `rewiring`, the probability, 0 to 1; `width`, places for neighbours; 0: `watts_strogatz_width`.
    Raises: ParameterError where `degree` is odd or more than half of N - 1.
    Source: Watts & Strogatz 1998.
    """
    nodes = whole("nodes", nodes, 1)
    half = _degree("degree", degree, nodes, even=True) // 2
    if 2 * degree > nodes - 1:
        raise ParameterError(f"degree = {degree} for {nodes} nodes: at most half of the others, {(nodes - 1) // 2}")
    width = _width(width or watts_strogatz_width(nodes, degree), nodes)
    if not half:
        return ring_graph(nodes, 0)
    everybody = jnp.arange(nodes, dtype=jnp.int32)[:, None]
    before = (everybody + jnp.arange(1, half + 1, dtype=jnp.int32)) % nodes
    redrawn = jax.random.uniform(key, (nodes, half)) < _probability("rewiring", rewiring)

    def clash(target):
        others = ~jnp.eye(half, dtype=bool)
        again = ((target[:, :, None] == target[:, None, :]) & others).any(2)
        back = (target[target] == everybody[:, :, None]).any(2)
        return redrawn & (again | back | (target == everybody) | (target == before))

    def redraw(carry):
        target, wrong, turn = carry
        words = jax.random.bits(jax.random.fold_in(key, turn), target.shape, jnp.uint32)
        target = jnp.where(wrong, random.index_below(words, jnp.uint32(nodes)).astype(jnp.int32), target)
        return target, clash(target), turn + 1

    target, _, _ = jax.lax.while_loop(
        lambda carry: carry[1].any() & (carry[2] < ROUNDS), redraw, (before, redrawn, jnp.int32(1))
    )
    source = jnp.broadcast_to(everybody, target.shape).ravel()
    ends = jnp.concatenate([source, target.ravel()]), jnp.concatenate([target.ravel(), source])
    return packed(*ends, jnp.ones(2 * source.size, bool), nodes, width)


def barabasi_albert_graph(key: Array, nodes: int, links: int, width: int = 0) -> Graph:
    """Growth with preferential attachment: each new node joins `links` different ones, in proportion to their degree.

    It starts from a star of `links` + 1 nodes. Drawing goes on until the ends are different, as in NetworkX.

    Args: `links` m, 1 to N - 1; `width`, places for neighbours; 0: N - 1. The largest degree is about m sqrt(N).
    Source: Barabasi & Albert 1999.
    """
    nodes = whole("nodes", nodes, 1)
    links = whole("links", links, 1, max(nodes - 1, 1))
    width = _width(width, nodes)
    if nodes == 1:
        return complete_graph(1)
    seed = random.seeds(key)
    # Every edge is written down as (new, old): an end drawn from the written ones is a node in proportion to degree.
    ends = jnp.zeros((nodes - links) * links * 2, jnp.int32)
    star = jnp.stack([jnp.full(links, links), jnp.arange(links)], 1).ravel()
    ends = ends.at[: 2 * links].set(star.astype(jnp.int32))

    def grow(carry, new):
        ends, counter = carry
        written = (2 * links * (new - links)).astype(jnp.uint32)

        def draw(inner):
            chosen, count, counter = inner
            one = ends[random.index_below(random.words(seed, counter), written)]
            fresh = (chosen != one).all()
            return chosen.at[jnp.where(fresh, count, links)].set(one, mode="drop"), count + fresh, counter + 1

        chosen, _, counter = jax.lax.while_loop(
            lambda inner: inner[1] < links, draw, (jnp.full(links, -1, jnp.int32), jnp.int32(0), counter)
        )
        pairs = jnp.stack([jnp.full(links, new), chosen], 1).ravel()
        return (jax.lax.dynamic_update_slice(ends, pairs, (written.astype(jnp.int32),)), counter), None

    later = jnp.arange(links + 1, nodes, dtype=jnp.int32)
    (ends, _), _ = jax.lax.scan(grow, (ends, jnp.uint32(0)), later)
    pairs = ends.reshape(-1, 2)
    both = jnp.concatenate([pairs, pairs[:, ::-1]])
    return packed(both[:, 0], both[:, 1], jnp.ones(len(both), bool), nodes, width)
