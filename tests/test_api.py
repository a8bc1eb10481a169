"""What `simulate` and `sweep` accept, and how they refuse: settings, types, shapes, dimensions."""

import jax.numpy as jnp
import numpy as np
import pytest

import jaxcoord as jc


class Box(jc.Model, name="test-api-box"):
    """Numbers of several kinds."""

    weights: object = jc.param([1.0, 2.0], shape=("n",), doc="weights")
    count: int = jc.param(1, doc="a count", low=0)
    x = jc.observable(doc="weighted step", dims=("n",))

    def init(self, key):
        return jnp.zeros(())

    def step(self, state, key):
        return state + self.count

    def observe(self, state):
        return {"x": state * jnp.asarray(self.weights)}


def run(model, **changes):
    return jc.sweep(model, **({"over": {}, "steps": 4, "progress": False} | changes))


def variant(**changes):
    """A model like Box with some attributes exchanged."""
    return type("Variant", (Box,), changes, name="test-api-variant")()


@pytest.mark.parametrize("whole", [np.int32, np.int64, jnp.int32])
def test_whole_numbers_of_any_library_are_whole_numbers(whole):
    plain = run(Box(), replicates=2, seed=3)
    assert run(Box(), steps=whole(4), replicates=whole(2), seed=whole(3)).equals(plain)


@pytest.mark.parametrize("values", [range(3), (i for i in range(3)), np.arange(3), jnp.arange(3), (0, 1, 2)])
def test_swept_values_may_be_any_collection(values):
    found = run(Box(), over={"count": values})
    np.testing.assert_array_equal(found["count"], [0, 1, 2])
    np.testing.assert_array_equal(found.x.isel(step=-1, replicate=0, n=0), [0, 4, 8])


def test_a_swept_array_decides_the_shape():
    found = run(Box(), over={"weights": [[1, 2, 3], [3, 2, 1]]})
    np.testing.assert_array_equal(found.x.isel(step=-1, replicate=0), [[4, 8, 12], [12, 8, 4]])


def test_short_floats_are_kept_as_float32():
    half = variant(observe=lambda self, state: {"x": (state * jnp.ones(2)).astype(jnp.bfloat16)})
    found = run(half)
    assert found.x.dtype == np.float32
    np.testing.assert_array_equal(found.x.isel(step=-1, replicate=0), [4, 4])


@pytest.mark.parametrize(
    ("model", "changes", "words"),
    [
        (Box(), {"steps": 2.5}, ["run.steps", "2.5"]),
        (Box(), {"steps": 0}, ["run.steps", "0"]),
        (Box(), {"replicates": "two"}, ["run.replicates", "two"]),
        (Box(), {"seed": -1}, ["run.seed", "-1"]),
        (Box(), {"record": {"every": 2}}, ["record", "jc.Record"]),
        (Box(), {"store": 3}, ["store = 3", "path"]),
        (Box(), {"over": {"count": [1, 2**31]}}, ["sweep.count", "2147483648", "too large"]),
        (Box(), {"over": {"weights": [[1, 2], [3]]}}, ["sweep.weights", "shapes"]),
        (Box(), {"over": {}, "design": "sobol", "samples": 4}, ["sobol", "nothing is swept"]),
        (Box, {}, ["model", "instance"]),
        (variant(init=lambda self, key: 0, step=lambda self, s, key: s + 0.5), {}, ["step", "int32", "float32"]),
        (variant(x=jc.observable(doc="x", dims=("step",))), {}, ["'x'", "step"]),
        (variant(x=jc.observable(doc="x", dims=())), {}, ["'x'", "shape"]),
        (variant(coords=lambda self: {"n": "abc"}), {}, ["coords", "3 labels", "length 2"]),
        (variant(coords=lambda self: {"m": "ab"}), {}, ["coords", "'m'", "allowed: n"]),
        (variant(observe=lambda self, s: {"x": s * 1j * jnp.ones(2)}), {}, ["'x'", "complex64"]),
        (variant(observe=lambda self, s: {"y": s}), {}, ["observe", "y", "x"]),
    ],
)
def test_refusal_is_one_line_that_names_the_fault(model, changes, words):
    with pytest.raises(jc.JaxcoordError) as caught:
        run(model, **changes)
    message = str(caught.value)
    assert "\n" not in message
    for word in words:
        assert word in message


def test_lengths_of_a_shared_dim_must_agree():
    class Two(Box, name="test-api-two"):
        y = jc.observable(doc="another", dims=("n",))

        def observe(self, state):
            return {"x": jnp.ones(2), "y": jnp.ones(3)}

    with pytest.raises(jc.ParameterError, match=r"'y'.*'n' has length 3 here and 2"):
        run(Two())


class Both(Box, name="test-api-both"):
    """Two shares of one whole."""

    left: float = jc.param(0.2, doc="a share", low=0, high=1)
    right: float = jc.param(0.2, doc="the other", low=0, high=1)

    def __post_init__(self):
        super().__post_init__()
        if isinstance(self.left, float) and isinstance(self.right, float) and self.left + self.right > 1:
            raise jc.ParameterError(f"right = {self.right}: more than is left of {self.left}")


def test_what_a_model_asks_of_several_values_is_asked_of_every_point():
    over = {"left": [0.1, 0.5], "right": [0.2, 0.6]}
    with pytest.raises(jc.ParameterError, match=r"right = 0.6: more than is left of 0.5"):
        run(Both(), over=over)
    assert run(Both(), over=over | {"right": [0.2, 0.5]}).sizes["left"] == 2
