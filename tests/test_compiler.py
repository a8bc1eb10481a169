"""The compiler does the arithmetic that it is asked for."""

import jax
import numpy as np

import jaxcoord  # noqa: F401  # sets a flag of the compiler


def test_sums_of_products_are_right_in_a_batch():
    # jaxlib 0.10.2 gets thousands of these 40,000 numbers wrong, by up to hundreds, where the flag is not set.
    draw = np.random.default_rng(0).normal
    x, weights, shift = (draw(size=shape).astype(np.float32) for shape in ((4000, 17), (10, 17), (10,)))
    x, weights = 10 * x, 3 * weights
    got = jax.jit(lambda x: (weights * x[:, None, :]).sum(-1) + shift)(x)
    np.testing.assert_allclose(got, x.astype(float) @ weights.T.astype(float) + shift, atol=1e-3)
