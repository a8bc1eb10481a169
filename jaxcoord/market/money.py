"""Money that changes hands at random: rules of exchange on whole units, and the laws of wealth that they lead to.

A rule is a pure function of what each agent holds and of what was drawn; the total is conserved with `==`. "Agents
give one unit to another" is three models, and their inequality differs: all at once, each once in random order, or one
random donor after the other.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax.scipy.special import gammaln

from jaxcoord import random
from jaxcoord.market import checks

Array = jax.Array
INSIDE = "promise_in_bounds"
PACKED = 4096  # agents up to whose number a sort key keeps 20 random bits beside the index


def random_pairs(seed: tuple[Array, Array], size: int) -> tuple[Array, Array]:
    """Partners of a random matching of all agents, one of whom stays alone where their number is odd.

    Args: `seed`, of `random.seeds`, whose counters 0 to N - 1 are used; `size`, N agents.
    Returns: indices `[N // 2]` of the first and of the second of each pair.
    """
    everybody = jnp.arange(size, dtype=jnp.uint32)
    words = random.words(seed, everybody)
    if size <= PACKED:  # One sort of whole numbers: several times faster than a sort of keys beside indices.
        low = jnp.uint32((1 << max(size - 1, 1).bit_length()) - 1)
        order = (jnp.sort((words & ~low) | everybody) & low).astype(jnp.int32)
    else:
        order = jnp.argsort(words)
    paired = order[: size // 2 * 2]
    return paired[0::2], paired[1::2]


def split(money: Array, first: Array, second: Array, words: Array, saving: Any = 0.0) -> Array:
    """Each pair puts together what its two do not save and splits that at random, every whole split alike.

    x' = kept_x + V and y' = kept_y + pool - V, with kept = floor(saving x), pool = x + y less what both keep, and V
    uniform on 0..pool.

    Args:
      money: `[N]` whole units, at least 0, less than 2**31 in all.
      first, second: `[K]` indices of the pairs; nobody is in two.
      words: `[K]` random words, one for each pair.
      saving: share of its own that everybody keeps, 0 to 1.
    Returns: `[N]`.
    Source: Dragulescu & Yakovenko 2000 (saving 0), Chakraborti & Chakrabarti 2000, eq. 3.
    """
    x, y = money[first], money[second]
    kept_x, kept_y = (jnp.minimum(jnp.floor(saving * z).astype(money.dtype), z) for z in (x, y))
    pool = (x - kept_x) + (y - kept_y)
    given = random.index_below(words, (pool + 1).astype(jnp.uint32)).astype(money.dtype)
    return money.at[first].set(kept_x + given).at[second].set(kept_y + pool - given)


def received(given: Array, receiver: Array) -> Array:
    """`[N]` units that reach each agent, of `given [N]` units sent to `receiver [N]`."""
    return jnp.zeros_like(given).at[receiver].add(given, mode=INSIDE)


def give_simultaneously(money: Array, receiver: Array) -> Array:
    """Everybody who has money gives one unit, all at the same time.

    Args: `money [N]` whole units, at least 0; `receiver [N]`, to whom each gives.
    Returns: `[N]`.
    """
    given = (money > 0).astype(money.dtype)
    return money - given + received(given, receiver)


def give_in_turn(money: Array, receiver: Array, in_time: Array) -> Array:
    """Each agent once, one after the other in some order, gives one unit if it has one by then.

    Whoever starts without money gives if somebody gave to it before its turn. That is solved for all agents at once,
    in as many rounds as the longest chain of such gifts: the result is that of the loop over agents. Of their order
    only this matters: who of each giver and receiver acts first.

    Args: `money [N]` whole units, at least 0; `receiver [N]`; `in_time [N]`, whether an agent acts before its receiver.
    Returns: `[N]`.
    """
    rich = money > 0

    def again(state: tuple[Array, Array]) -> tuple[Array, Array]:
        gives, _ = state
        # The least numbers that there are: a round is bound by the memory that its scatter touches.
        reached = jnp.zeros(gives.shape, jnp.int8).at[receiver].max((gives & in_time).astype(jnp.int8), mode=INSIDE)
        found = rich | (reached > 0)
        return found, (found != gives).any()

    # The first round outside the loop, so that its condition starts as a traced value of the population.
    gives, _ = jax.lax.while_loop(lambda state: state[1], again, again((rich, rich.any())))
    given = gives.astype(money.dtype)
    return money - given + received(given, receiver)


def give_one_by_one(money: Array, donors: Array, receivers: Array) -> Array:
    """One donor after the other gives one unit if it has one.

    Args: `money [N]` whole units, at least 0; `donors [K]` and `receivers [K]`, in the order of the gifts.
    Returns: `[N]`.
    """

    def gift(money: Array, pair: tuple[Array, Array]) -> tuple[Array, None]:
        donor, receiver = pair
        one = (money[donor] > 0).astype(money.dtype)
        money = money.at[donor].add(-one, mode=INSIDE)
        return money.at[receiver].add(one, mode=INSIDE), None

    return jax.lax.scan(gift, money, (donors, receivers))[0]


def pay_on_credit(money: Array, limit: Any, payers: Array, receivers: Array) -> Array:
    """One payer after the other pays one unit, from its money or into debt while all debts stay within a limit.

    Args:
      money: `[N]` whole units; negative is debt.
      limit: most units that all agents may owe, see `credit_limit`.
      payers, receivers: `[K]`, in the order of the payments; no payer pays itself.
    Returns: `[N]`. Every state that the limit allows is equally likely in the long run.
    Source: Xi, Ding & Wang 2005.
    """

    def payment(state: tuple[Array, Array], pair: tuple[Array, Array]) -> tuple[tuple[Array, Array], None]:
        money, debt = state
        payer, receiver = pair
        borrows, repays = (money[payer] <= 0).astype(money.dtype), (money[receiver] < 0).astype(money.dtype)
        one = ((borrows == 0) | (debt + borrows - repays <= limit)).astype(money.dtype)
        money = money.at[payer].add(-one, mode=INSIDE)
        money = money.at[receiver].add(one, mode=INSIDE)
        return (money, debt + one * (borrows - repays)), None

    start = money, jnp.maximum(-money, 0).sum(dtype=money.dtype)
    return jax.lax.scan(payment, start, (payers, receivers))[0][0]


def _reserves(reserve_ratio: Any, base_money: Any) -> tuple[Array, Array]:
    # Both as floats, in range where they are known.
    ratio = checks.within("reserve_ratio", reserve_ratio, checks.ABOVE_ZERO, 1, "above 0 and at most 1 is needed")
    base = checks.within("base_money", base_money, 0, np.inf, "a finite amount of at least 0 is needed")
    checks.broadcasting(reserve_ratio=ratio, base_money=base)
    return ratio, base


def credit_limit(reserve_ratio: Any, base_money: Any) -> Any:
    """Most that banks lend on base money under a reserve ratio: base (1 - r) / r.

    Args: `reserve_ratio`, above 0 and at most 1; `base_money`, at least 0. They broadcast.
    Raises: ParameterError where one is out of range.
    """
    _reserves(reserve_ratio, base_money)
    return base_money * (1 - reserve_ratio) / reserve_ratio


class ReserveWealth(NamedTuple):
    """Wealth in the long run of payments at random with bank credit (see `reserve_wealth`); per head and in money."""

    positive: Array
    """Positive money per head, M0 / r."""
    debt: Array
    """Debt per head, M0 (1 - r) / r."""
    scale_positive: Array
    """Mean of those who have money: the scale of the exponential law above zero."""
    scale_negative: Array
    """Mean debt of those who owe: the scale of the exponential law below zero."""
    share_in_debt: Array
    """Share of agents who owe."""


def reserve_wealth(reserve_ratio: Any, base_money: Any) -> ReserveWealth:
    """The two-sided exponential law of wealth under a reserve ratio r, with base money M0 per head.

    The limit on loans binds, and the entropy of both sides is largest at scales M0 (1 + sqrt(1 - r)) / r above zero and
    sqrt(1 - r) times that below it; the share in debt is sqrt(1 - r) / (1 + sqrt(1 - r)).

    Args: `reserve_ratio`, above 0 and at most 1; `base_money`, at least 0. They broadcast.
    Raises: ParameterError where one is out of range.
    Source: Xi, Ding & Wang 2005; many agents, who each hold many units.
    """
    ratio, base = _reserves(reserve_ratio, base_money)
    root = jnp.sqrt(1 - ratio)
    scale = base * (1 + root) / ratio
    return ReserveWealth(base / ratio, credit_limit(ratio, base), scale, root * scale, root / (1 + root))


def saving_variance(saving: Any) -> Array:
    """Variance of wealth over its squared mean where pairs save a share L and split the rest: (1 - L) / (1 + 2 L).

    Exact for many agents. Source: Patriarca, Chakraborti & Kaski 2004.
    """
    saving = jnp.asarray(saving, float)
    return (1 - saving) / (1 + 2 * saving)


def gamma_gini(shape: Any) -> Array:
    """Gini coefficient of a Gamma law of shape k: Gamma(k + 1/2) / (sqrt(pi) Gamma(k + 1)); 1/2 at k = 1.

    Pairs who save a share L lead nearly to k = 1 + 3 L / (1 - L).
    Source: McDonald & Jensen 1979; the shape of Patriarca, Chakraborti & Kaski 2004, eq. 8.
    """
    shape = jnp.asarray(shape, float)
    return jnp.exp(gammaln(shape + 0.5) - gammaln(shape + 1)) / jnp.sqrt(jnp.pi)


def simultaneous_donors(mean: Any) -> Array:
    """Share of agents who have money where all give one unit at once: 1 + m - sqrt(1 + m^2), 2 - sqrt(2) at m = 1.

    What an agent holds is a queue served once a step with Poisson(q) arrivals: its mean q + q^2 / (2 (1 - q)) is m.
    """
    mean = jnp.asarray(mean, float)
    return 1 + mean - jnp.sqrt(1 + mean**2)
