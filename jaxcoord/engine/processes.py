"""Several processes on one or more machines: JAX's own start-up, and barriers around the shared store."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator

from jaxcoord.errors import ParameterError, StoreError


def start(coordinator: str | None = None, processes: int | None = None, process_id: int | None = None) -> None:
    """Join the other processes of a run; must come before any other use of JAX.

    Without arguments a SLURM step of several tasks is detected; a lone process does nothing.
    Raises: ParameterError where only some of the three arguments are given.
    """
    given = [coordinator is not None, processes is not None, process_id is not None]
    tasks = int(os.environ.get("SLURM_STEP_NUM_TASKS") or os.environ.get("SLURM_NTASKS") or 1)
    if not any(given) and not ("SLURM_PROCID" in os.environ and tasks > 1):
        return
    if any(given) and not all(given):
        raise ParameterError("--coordinator, --processes and --process-id belong together: give all three or none")
    if all(given) and not 0 <= process_id < processes:  # type: ignore[operator]
        raise ParameterError(f"--process-id = {process_id}: allowed: 0 to {processes - 1}")  # type: ignore[operator]
    import jax

    jax.distributed.initialize(coordinator, processes, process_id)


def agree(well: bool = True) -> None:
    """Wait for the first process's word that the run may begin. Raises: StoreError where it refused."""
    import jax

    if jax.process_count() > 1:
        import numpy as np
        from jax.experimental import multihost_utils

        if not multihost_utils.broadcast_one_to_all(np.array(well)) and jax.process_index():
            raise StoreError("the first process refused the run; its message says why")


@contextlib.contextmanager
def agreed() -> Iterator[None]:
    """Tell the other processes whether what the first one does inside succeeded."""
    try:
        yield
    except BaseException:
        agree(False)
        raise
    agree()


def barrier(name: str) -> None:
    """Wait until every process has come here."""
    import jax

    if jax.process_count() > 1:
        from jax.experimental import multihost_utils

        multihost_utils.sync_global_devices(name)
