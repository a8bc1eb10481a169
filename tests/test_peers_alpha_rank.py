"""alpha-Rank against OpenSpiel on 200 random games, of one population and of two."""

import jax
import numpy as np
import pytest

from jaxcoord.evolution import alpha_rank, alpha_rank_profiles

pytestmark = pytest.mark.peers


def peer(tables, alpha, size):
    from open_spiel.python.egt import alpharank

    return alpharank.compute(tables, m=size, alpha=alpha)[2]


def test_equals_open_spiel():
    rng = np.random.default_rng(0)
    with jax.enable_x64(True):
        one = jax.jit(alpha_rank, static_argnums=2)
        two = jax.jit(lambda tables, alpha: alpha_rank_profiles(list(tables), alpha, 20))
        for game in range(200):
            alpha = 10 ** rng.uniform(-3, -0.5)  # beyond, the peer finds several distributions or none
            if game % 2:
                payoff = rng.normal(size=(rng.choice([2, 4, 7]),) * 2)
                found, expected = one(payoff, alpha, 50), peer([payoff], alpha, 50)
            else:
                tables = rng.normal(size=(2, 3, 2))
                found, expected = two(tables, alpha).reshape(-1), peer(list(tables), alpha, 20)
            np.testing.assert_allclose(found, expected, rtol=0, atol=1e-8)
