"""Adam for agents who learn: one for the speaker and one for the listener, so that who is replaced begins anew."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp

Array = jax.Array
AGENTS = ("speaker", "listener")


def adam() -> Any:
    """The optimiser of all agents, without its step size. Source: Kingma & Ba 2015."""
    import optax

    return optax.scale_by_adam()


def adams() -> Any:
    """One Adam for the speaker and one for the listener, in a dict of both, each with its own count of steps."""
    import optax

    return optax.multi_transform({name: adam() for name in AGENTS}, {name: name for name in AGENTS})


def renewed(due: Array, old: Any, new: Any) -> Any:
    """A tree of arrays, with the new ones where it is `due`: bool, of the leading axes of every leaf."""

    def chosen(old: Array, new: Array) -> Array:
        return jnp.where(due.reshape(due.shape + (1,) * (old.ndim - due.ndim)), new, old)

    return jax.tree.map(chosen, old, new)


def fresh_adam(due: Array, optimiser: Any, start: Any) -> Any:
    """What `adams` remember, and where it is `due` that a listener is a newborn, nothing of it: as at the `start`."""
    kept, begun = optimiser.inner_states, start.inner_states
    return optimiser._replace(inner_states={**kept, "listener": renewed(due, kept["listener"], begun["listener"])})
