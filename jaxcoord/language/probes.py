"""What a reader can learn of a code with new lessons, and whether it is the code that it learned: probes with controls.

A probe learns one attribute from some rows and is tested on others. Its control learns labels that were dealt out at
random, one to each message: what it gets right there it has learned by heart. Pure, for one language; `jax.vmap` makes
a batch of communities, attributes or training sets, since which rows are learned from is a mask.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax

from jaxcoord.errors import ParameterError
from jaxcoord.language.information import contents, integers, message_groups
from jaxcoord.language.structure import generalised_inverse, one_hot_positions

Array = jax.Array
Reader = Callable[[Array, Array], Array]
"""From labels `[N]` and the rows that are learned from, `[N]` bool, to a decision for every row, `[N]`."""
STEPS = 5000  # of the logistic probe, at most; it takes some tens to hundreds


def majority_table(groups: Any, labels: Any, classes: int, trained: Any) -> Array:
    """A table of the label that came most often with each message: the weakest reader, or on whole messages the best.

    Args:
      groups: `[N]`, the same number for the same message or part of it.
      labels: `[N]`, 0..C-1.
      classes: C, static.
      trained: `[N]` bool, rows that are counted.
    Returns: `[N]` int32, a decision for every row: of equally frequent labels the lowest, and for a message that was
      not met the label that was met most.
    """
    groups, trained = jnp.asarray(groups), jnp.asarray(trained)
    seen = jax.nn.one_hot(labels, classes, dtype=jnp.int32) * trained[:, None]
    votes = (groups[:, None] == groups[None]).astype(jnp.int32) @ seen
    votes = jnp.where(votes.any(1, keepdims=True), votes, seen.sum(0))
    return jnp.argmax(votes, axis=1).astype(jnp.int32)


class LogisticProbe(NamedTuple):
    """A fitted multinomial logistic regression (see `logistic_probe`)."""

    weights: Array
    """`[D, C]`."""
    bias: Array
    """`[C]`."""
    present: Array
    """`[C]` bool: labels that were learned; the others are given probability 0, where their bias would tend."""
    objective: Array
    """`[]`: mean cross-entropy + penalty / 2 |W|^2, nats."""
    gap: Array
    """`[]`: by how much the next step was expected to lower the objective, nats; about 0 where it has converged."""


def logistic_probe(features: Any, labels: Any, classes: int, penalty: Any, trained: Any | None = None) -> LogisticProbe:
    """Multinomial logistic regression to convergence: min mean CE + (penalty / 2) |W|^2, the bias being free.

    Accelerated steps, restarted where they overshoot, in the metric of a fixed upper bound of the curvature,
    X'X / 2n + penalty: one matrix is inverted, however many classes and labellings share the features.

    Args:
      features: `[N, D]`.
      labels: `[N]`, 0..C-1.
      classes: C, static.
      penalty: l2, above 0.
      trained: `[N]` bool, rows that are learned from; all if not given.
    Returns: a `LogisticProbe`.
    Raises: ParameterError where the penalty is not above 0, or a label not below C.
    Source: Böhning 1992 (the bound); Beck & Teboulle 2009, O'Donoghue & Candès 2015 (acceleration, restart).
    """
    if not isinstance(penalty, jax.core.Tracer) and not (np.asarray(penalty) > 0).all():
        raise ParameterError(f"penalty = {penalty}: above 0 is needed, or the weights have no limit")
    features, labels = jnp.asarray(features, float), integers("labels", labels, "N", classes)
    share = jnp.ones(labels.size) if trained is None else jnp.asarray(trained).astype(float)
    share = share / share.sum()
    # The bias first: what it explains is taken off before the rest is inverted, which only the penalty keeps regular.
    design = jnp.concatenate([jnp.ones((labels.size, 1)), features], axis=1)
    shrink = jnp.where(jnp.arange(design.shape[1]) > 0, jnp.asarray(penalty, float), 0)
    curvature = design.T @ (share[:, None] * design) / 2 + jnp.diag(shrink)
    metric = generalised_inverse(curvature, float(jnp.finfo(design.dtype).eps))
    target = jax.nn.one_hot(labels, classes, dtype=float)
    present = (target * share[:, None]).any(0)
    logarithms = jnp.where(present, 0, -jnp.inf)
    enough = 1e-22 if design.dtype == jnp.float64 else 1e-13

    def slope(weights: Array) -> Array:
        given = jax.nn.softmax(design @ weights + logarithms, axis=1)
        return design.T @ (share[:, None] * (given - target)) + shrink[:, None] * weights

    def step(carry: tuple[Array, Array, Array, Array, Array]) -> tuple[Array, Array, Array, Array, Array]:
        old, ahead, pace, _, count = carry
        gradient = slope(ahead)
        change = metric @ gradient
        new = ahead - change
        moved = new - old
        overshot = (gradient * moved).sum() > 0
        pace = jnp.where(overshot, 1, pace)
        next_pace = (1 + jnp.sqrt(1 + 4 * pace**2)) / 2
        ahead = new + jnp.where(overshot, 0, (pace - 1) / next_pace) * moved
        return new, ahead, next_pace, (gradient * change).sum() / 2, count + 1

    zero = jnp.zeros((design.shape[1], classes))
    start = (zero, zero, jnp.ones(()), jnp.asarray(jnp.inf, float), jnp.array(0))
    found, _, _, gap, _ = jax.lax.while_loop(lambda c: (c[3] > enough) & (c[4] < STEPS), step, start)
    cost = -(share[:, None] * target * _log(jax.nn.log_softmax(design @ found + logarithms, axis=1))).sum()
    objective = cost + (shrink[:, None] * found**2).sum() / 2
    return LogisticProbe(found[1:], found[0], present, objective, gap)


def _log(logarithm: Array) -> Array:
    # 0 times minus infinity is to be 0.
    return jnp.where(jnp.isfinite(logarithm), logarithm, 0)


def logistic_probabilities(probe: LogisticProbe, features: Any) -> Array:
    """`[N, C]`: probabilities of the labels for features `[N, D]`."""
    return jax.nn.softmax(jnp.asarray(features, float) @ probe.weights + jnp.where(probe.present, probe.bias, -jnp.inf))


class ProbeScore(NamedTuple):
    """How a probe does on rows (see `probe_score`)."""

    accuracy: Array
    """`[]`."""
    cross_entropy: Array
    """`[]`: mean of -log2 of the probability of the label, bits; infinite where it was held to be impossible."""


def probe_score(probabilities: Any, labels: Any, tested: Any | None = None) -> ProbeScore:
    """Accuracy and cross-entropy of probabilities `[N, C]` on labels `[N]`, on the rows `tested`, all if not given."""
    probabilities, labels = jnp.asarray(probabilities), jnp.asarray(labels)
    rows = jnp.ones(labels.size, bool) if tested is None else jnp.asarray(tested).astype(bool)
    given = jnp.take_along_axis(probabilities, labels[:, None], axis=1)[:, 0]
    right = jnp.argmax(probabilities, axis=1) == labels
    return ProbeScore((right & rows).sum() / rows.sum(), jnp.where(rows, -jnp.log2(given), 0).sum() / rows.sum())


def mlp_probe(
    key: Array, features: Any, labels: Any, classes: int, trained: Any, *, hidden: int = 64, steps: int = 400,
    learning_rate: Any = 0.01, penalty: Any = 0.0,
) -> Array:  # fmt: skip
    """A network with one hidden layer, trained from scratch with a fixed budget: full batches, Adam.

    Args:
      key: draws the initial weights.
      features: `[N, D]`.
      labels: `[N]`, 0..C-1.
      classes: C, static.
      trained: `[N]` bool, rows that are learned from.
      hidden: units of the hidden layer, static.
      steps: of Adam, static.
      learning_rate: of Adam.
      penalty: l2 on the two weight matrices, at least 0; together with few units it makes a probe more selective.
    Returns: `[N, C]`, the probabilities that it gives on every row.
    Raises: ParameterError where a label is not below C.
    Source: Hewitt & Liang 2019, EMNLP (the family of probes).
    """
    if hidden < 1 or steps < 1:
        raise ParameterError(f"hidden = {hidden}, steps = {steps}: at least 1 of each is needed")
    features, labels = jnp.asarray(features, float), integers("labels", labels, "N", classes)
    share = jnp.asarray(trained).astype(float)
    share = share / share.sum()
    width = features.shape[1]
    drawn = jax.random.normal(key, (hidden * (width + classes),), features.dtype)
    weights = [
        drawn[: width * hidden].reshape(width, hidden) * np.sqrt(2 / width), jnp.zeros(hidden),
        drawn[width * hidden :].reshape(hidden, classes) * np.sqrt(1 / hidden), jnp.zeros(classes),
    ]  # fmt: skip

    def scores(weights: list[Array]) -> Array:
        inner, inner_bias, outer, outer_bias = weights
        return jax.nn.relu(features @ inner + inner_bias) @ outer + outer_bias

    def loss(weights: list[Array]) -> Array:
        cost = optax.softmax_cross_entropy_with_integer_labels(scores(weights), labels)
        return (share * cost).sum() + penalty / 2 * ((weights[0] ** 2).sum() + (weights[2] ** 2).sum())

    adam = optax.scale_by_adam()

    def step(carry: tuple[list[Array], Any], _: None) -> tuple[tuple[list[Array], Any], None]:
        weights, memory = carry
        change, memory = adam.update(jax.grad(loss)(weights), memory)
        return ([weight - learning_rate * part for weight, part in zip(weights, change, strict=True)], memory), None

    (weights, _), _ = jax.lax.scan(step, (weights, adam.init(weights)), length=steps)
    return jax.nn.softmax(scores(weights))


def table_reader(messages: Any, values: int) -> Reader:
    """The majority table on whole messages: all that any reader can do that does not generalise."""
    groups = message_groups(messages)
    return lambda labels, trained: majority_table(groups, labels, values, trained)


def first_position_reader(messages: Any, values: int) -> Reader:
    """The majority table on the first symbol, the weakest reader."""
    first = contents(messages)[:, 0]
    return lambda labels, trained: majority_table(first, labels, values, trained)


def logistic_reader(messages: Any, values: int, vocabulary: int, penalty: Any = 0.01) -> Reader:
    """The logistic probe on one-hot positions."""
    features = one_hot_positions(messages, vocabulary)

    def read(labels: Array, trained: Array) -> Array:
        probe = logistic_probe(features, labels, values, penalty, trained)
        return jnp.argmax(logistic_probabilities(probe, features), axis=1)

    return read


def mlp_reader(key: Array, messages: Any, values: int, vocabulary: int, **settings: Any) -> Reader:
    """The network of `mlp_probe`, with its settings, on one-hot positions."""
    features = one_hot_positions(messages, vocabulary)
    return lambda labels, trained: jnp.argmax(mlp_probe(key, features, labels, values, trained, **settings), axis=1)


def control_labels(key: Array, groups: Any, labels: Any) -> Array:
    """`[N]`: a label at random for every message, the same wherever it is said, drawn from how often labels occur.

    Args:
      key: draws the labels.
      groups: `[N]`, the first row with the same message (`jaxcoord.language.information.message_groups`).
      labels: `[N]`, the labels of the task.
    Source: Hewitt & Liang 2019, section 2.
    """
    labels = jnp.asarray(labels)
    drawn = labels[jax.random.randint(key, labels.shape, 0, labels.shape[0])]
    return drawn[jnp.asarray(groups)]


class Selectivity(NamedTuple):
    """A probe and its control, attribute by attribute (see `probe_selectivity`)."""

    task: Array
    """`[A]`: accuracy on the rows that are not learned from."""
    control: Array
    """`[A]`: the same for random labels."""
    selectivity: Array
    """`[A]`: task - control."""


def probe_selectivity(key: Array, attributes: Any, messages: Any, trained: Any, read: Reader) -> Selectivity:
    """Accuracy of a reader on held-out rows beside that on labels dealt out at random to messages.

    High accuracy with low selectivity says nothing about the language.

    Args:
      key: draws the control labels.
      attributes: `[N, A]`, values from 0.
      messages: `[N, L]`, symbols from 0.
      trained: `[N]` bool, rows that are learned from; for a reader that generalises hold out whole meanings.
      read: a reader of these messages, such as `logistic_reader(messages, V, K)`.
    Returns: a `Selectivity`; NaN where no row is held out.
    Raises: ParameterError where the tables are not of whole numbers.
    Source: Hewitt & Liang 2019, EMNLP.
    """
    attributes = integers("attributes", attributes, "N, A")
    groups, trained = message_groups(integers("messages", messages, "N, L")), jnp.asarray(trained).astype(bool)
    keys = jax.vmap(lambda number: jax.random.fold_in(key, number))(jnp.arange(attributes.shape[1]))
    control = jax.vmap(control_labels, (0, None, 1))(keys, groups, attributes)

    def accuracy(labels: Array) -> Array:
        return ((read(labels, trained) == labels) & ~trained).sum() / (~trained).sum()

    found = jax.vmap(accuracy)(jnp.concatenate([attributes.T, control])).reshape(2, -1)
    return Selectivity(found[0], found[1], found[0] - found[1])


def probe_curve(attributes: Any, order: Any, tested: Any, sizes: Any, read: Reader) -> Array:
    """Accuracy on held-out rows after so many lessons; its mean over sizes is the area.

    Args:
      attributes: `[N, A]`, values from 0.
      order: `[N]`, the order in which rows are learned, 0 first; those that are tested are passed over.
      tested: `[N]` bool, the same rows for every size.
      sizes: `[S]`, how many rows are learned.
      read: a reader of the messages of these rows.
    Returns: `[S, A]`.
    """
    attributes, tested = integers("attributes", attributes, "N, A"), jnp.asarray(tested).astype(bool)
    later = jnp.asarray(order)[:, None] > jnp.asarray(order)[None]
    place = (later & ~tested[None]).sum(1)

    def of_size(size: Array, labels: Array) -> Array:
        right = read(labels, ~tested & (place < size)) == labels
        return (right & tested).sum() / tested.sum()

    return jax.vmap(jax.vmap(of_size, (None, 1)), (0, None))(jnp.asarray(sizes), attributes)
