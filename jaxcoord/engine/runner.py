"""The loop of a run: blocks in order, tiles of a block on all devices, commits as blocks are complete.

Tiles are independent, so no program spans devices: a thread for each device (for each core of a CPU) takes the next
tile. Two blocks are in flight, so that devices stay busy while one is being written.
"""

from __future__ import annotations

import os
import queue
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from typing import Any

import jax
import numpy as np

from jaxcoord.engine import checkpoint as checkpoints
from jaxcoord.engine import reduction
from jaxcoord.engine.checkpoint import Slot
from jaxcoord.engine.plan import Block, Group, Plan
from jaxcoord.engine.program import Program, Span, nonfinite, nonfinite_fields
from jaxcoord.errors import Interrupted
from jaxcoord.progress import Progress

CALL_SECONDS = 0.5
FIRST_STEPS = 16
BLOCKS_IN_FLIGHT = 2
MAX_REPORTS = 1000
REPLAY_PARTS = 32


class Tile:
    """Some populations of a block, as many as a program's width; the last ones of a group are padded."""

    def __init__(self, number: int, program: Program, plan: Plan, group: Group, first: int):
        self.number, self.program, self.plan = number, program, plan
        width = program.width
        self.places = group.places[first : first + width]
        pick = np.minimum(np.arange(first, first + width), len(group.points) - 1)
        self.points, self.replicates = group.points[pick], group.replicates[pick]
        self.model = group.model
        self.slot: Slot | None = None
        self.start: Slot | None = None
        self.bad: set[int] = set()

    def batch(self, device: jax.Device) -> tuple:
        """Parameters, seed and indices of the populations, on a device."""
        leaves = self.plan.leaves(self.model, self.points)
        words = (np.uint32(self.plan.seed), self.points.astype(np.uint32), self.replicates.astype(np.uint32))
        return jax.device_put((leaves, *words), device)


class Runner:
    """Runs a plan.

    Args:
      plan: what to run.
      devices: local devices to use.
      commit: called with (block, arrays, checkpoint bytes or None, non-finite reports) when a block is complete.
      save: called with (box, checkpoint bytes, block index) from time to time, or None.
      resume: gives (block index, bytes) of a box's checkpoint, or None.
      stop: an event that asks the run to end at the next call boundary.
    """

    def __init__(
        self,
        plan: Plan,
        devices: Sequence[jax.Device],
        progress: Progress,
        commit: Callable[[Block, Mapping[str, np.ndarray], bytes | None, list[dict]], None],
        save: Callable[[int, bytes, int], None] | None = None,
        resume: Callable[[int], tuple[int, bytes] | None] = lambda box: None,
        stop: threading.Event | None = None,
        checkpoint_seconds: float = 30.0,
    ):
        self.plan, self.devices, self.progress = plan, list(devices), progress
        self.commit, self.save, self.resume = commit, save, resume
        self.stop = stop or threading.Event()
        self.checkpoint_seconds = checkpoint_seconds
        self.programs: dict[Any, Program] = {}
        self.reports: list[dict] = []
        self.seconds_per_step: dict[Program, float] = {}
        self._mutex = threading.Lock()
        self._idle: queue.SimpleQueue[jax.Device] = queue.SimpleQueue()
        for device in self.devices:
            for _ in range(workers_on(device, len(self.devices))):
                self._idle.put(device)
        self.workers = self._idle.qsize()

    def program(self, group: Group) -> Program:
        """The program of a group's compiled shape."""
        structure = jax.tree.structure(group.model)
        with self._mutex:
            if structure not in self.programs:
                self.programs[structure] = self.plan.program(group.model)
            return self.programs[structure]

    def know(self, reports: Sequence[Mapping[str, Any]]) -> None:
        """Take over what an earlier run reported, so that it is not reported again."""
        with self._mutex:
            self.reports += [dict(report) for report in reports if report not in self.reports]

    def run(self, boxes: Sequence[int], committed: set[int]) -> None:
        """Run every block of these boxes that is not committed.

        Raises: Interrupted where `stop` was set before the end; StoreError where a commit failed.
        """
        with ThreadPoolExecutor(self.workers) as pool, ThreadPoolExecutor(BLOCKS_IN_FLIGHT) as threads:
            pending = [threads.submit(self._box, box, committed, pool) for box in boxes]
            try:
                # A list, so that every future is asked for its error.
                complete = all([future.result() for future in pending])  # noqa: C419
            except BaseException:
                self.stop.set()
                for future in pending:
                    future.cancel()
                raise
            finally:
                self.progress.close()
        if not complete:
            raise Interrupted("stopped; what is done is kept, and the same command goes on from here")

    def _tiles(self, box: int) -> list[Tile]:
        tiles: list[Tile] = []
        for group in self.plan.groups(box):
            program = self.program(group)
            for first in range(0, len(group.points), program.width):
                tiles.append(Tile(len(tiles), program, self.plan, group, first))
        return tiles

    def _box(self, box: int, committed: set[int], pool: ThreadPoolExecutor) -> bool:
        """Run what is missing of a box of populations; False where it was stopped before the end."""
        try:
            return self._run_box(box, committed, pool)
        except BaseException:
            self.stop.set()
            raise

    def _run_box(self, box: int, committed: set[int], pool: ThreadPoolExecutor) -> bool:
        plan = self.plan
        blocks = [plan.block(box, segment) for segment in range(plan.segments)]
        if all(block.index in committed for block in blocks):
            return True
        if self.stop.is_set():
            return False
        tiles = self._tiles(box)
        left = self._restore(box, blocks, committed, tiles)
        known = {(report["point"], report["replicate"]) for report in self.reports}
        for tile in tiles:
            places = zip(tile.points.tolist(), tile.replicates.tolist(), strict=True)
            tile.bad = {lane for lane, place in enumerate(places) if place in known}
        for block in left:
            if not self._advance_block(box, block, tiles, pool):
                return False
            if block.index in committed:
                continue
            arrays = self._gather(block, tiles)
            reports = [report for tile in tiles for report in self._report(tile)]
            more = block.records.stop < plan.records
            kept = self._checkpoint(tiles, block.records.stop) if more and self.save else None
            self.commit(block, arrays, kept, reports)
            self.progress.event("block", block=block.index)
        return True

    def _restore(self, box: int, blocks: list[Block], committed: set[int], tiles: list[Tile]) -> list[Block]:
        """Put the tiles where their checkpoint has them; what is left to run begins there."""
        kept = self.resume(box)
        if kept is None or kept[0] < blocks[0].index or kept[0] > blocks[-1].index:
            return self._needed(blocks, committed)
        index, data = kept
        self.know(checkpoints.reports(data))
        earlier = [block for block in blocks if block.index < index]
        if any(block.index not in committed for block in earlier):
            return self._needed(blocks, committed)  # an earlier block is lost, and this checkpoint lies beyond it
        for tile in tiles:
            tile.slot = checkpoints.decode(data, tile.number, tile.program)
        done = sum((tile.slot.step if tile.slot else 0) * len(tile.places) for tile in tiles)
        self.progress.skip(done)
        return self._needed([block for block in blocks if block.index >= index], committed)

    @staticmethod
    def _needed(blocks: list[Block], committed: set[int]) -> list[Block]:
        # Blocks after the last missing one are not wanted; those before it are run again for their states.
        missing = [i for i, block in enumerate(blocks) if block.index not in committed]
        return blocks[: missing[-1] + 1] if missing else []

    def _checkpoint(self, tiles: list[Tile], first_record: int) -> bytes:
        """The tiles as they are, with only those rows of their buffers that a block beginning there has filled."""
        slots = {}
        for tile in tiles:
            slot = tile.slot
            if slot is not None:
                rows = max(0, self._rows(slot.step) - first_record)
                slots[tile.number] = slot._replace(buffer={n: np.asarray(v)[:rows] for n, v in slot.buffer.items()})
        return checkpoints.encode(slots, [report for tile in tiles for report in self._report(tile)])

    def _advance_block(self, box: int, block: Block, tiles: list[Tile], pool: ThreadPoolExecutor) -> bool:
        """Take every tile to the end of a block; False where the run is to stop, its checkpoint saved."""
        futures: list[Future] = [pool.submit(self._advance_tile, tile, block) for tile in tiles]
        waiting = set(futures)
        while waiting:
            done, waiting = wait(waiting, timeout=self.checkpoint_seconds)
            for future in done:
                future.result()
            if waiting and self.save and not self.stop.is_set():
                self.save(box, self._checkpoint(tiles, block.records.start), block.index)
        last = self.plan.step_of(block.records.stop - 1)
        complete = all(tile.slot is not None and tile.slot.step == last for tile in tiles)
        if not complete and self.save:
            self.save(box, self._checkpoint(tiles, block.records.start), block.index)
        return complete

    def _advance_tile(self, tile: Tile, block: Block) -> None:
        device = self._idle.get()
        try:
            self._advance_on(device, tile, block)
        except BaseException:
            self.stop.set()
            raise
        finally:
            self._idle.put(device)

    def _advance_on(self, device: jax.Device, tile: Tile, block: Block) -> None:
        if self.stop.is_set():
            return
        program = tile.program
        with self._mutex:
            before = program.compile_seconds
            program.compiled(device)
            self.progress.compiling += program.compile_seconds - before
        batch = tile.batch(device)
        if tile.slot is None:
            buffer = {n: np.zeros(s.shape, s.dtype) for n, s in program.buffer_shapes.items()}
            tile.slot = Slot(0, program.init(device, batch), jax.device_put(buffer, device))
            self._check(tile, device, batch, None, block)
        else:
            slot = tile.slot
            tile.slot = Slot(slot.step, *jax.device_put((slot.carry, slot.buffer), device))
        last = self.plan.step_of(block.records.stop - 1)
        while tile.slot.step < last and not self.stop.is_set():
            self._call(tile, device, batch, block)

    def _call(self, tile: Tile, device: jax.Device, batch: tuple, block: Block) -> None:
        """Advance a tile by about half a second of work."""
        program, before = tile.program, tile.slot
        assert before is not None
        pace = self.seconds_per_step.get(program)
        budget = FIRST_STEPS if pace is None else max(1, int(CALL_SECONDS / pace))
        span, steps = self.span(before.step, budget, block)
        begun = time.perf_counter()
        carry, buffer = program.advance(device, batch, before.carry, before.buffer, span)
        jax.block_until_ready(carry)
        spent = time.perf_counter() - begun
        after = Slot(before.step + steps, carry, buffer)
        tile.slot = after
        # Never more than 16 times further than the last call, should that one have been too short to measure.
        self.seconds_per_step[program] = max(spent / steps, CALL_SECONDS / (16 * steps))
        self.progress.add(steps * len(tile.places))
        self._check(tile, device, batch, before, block)

    def span(self, step: int, budget: int, block: Block) -> tuple[Span, int]:
        """The next call of at most about `budget` steps from a step of a block, and how many steps it makes."""
        plan, every = self.plan, self.plan.every
        scratch = plan.segment
        if step < plan.record.burn_in:
            left = plan.record.burn_in - step
            steps = min(left, budget)
            return Span(step, steps, 1, scratch, steps == left), steps
        record, inside = divmod(step - plan.record.burn_in, every)
        head = every - inside
        if budget < head:
            return Span(step, budget, 1, scratch, False), budget
        count = min(1 + (budget - head) // every, block.records.stop - record)
        return Span(step, head, count, record - block.records.start, True), head + (count - 1) * every

    def _check(self, tile: Tile, device: jax.Device, batch: tuple, before: Slot | None, block: Block) -> None:
        """Find populations that stopped being finite in the last call, and at which step, by replaying it."""
        assert tile.slot is not None
        bad = self._bad(tile.slot, 0 if before is None else before.step, block)[: len(tile.places)]
        lanes = {int(lane) for lane in np.flatnonzero(bad)} - tile.bad
        if not lanes:
            return
        tile.bad |= lanes
        if before is None:
            self._note(tile, lanes, tile.slot, block)
        else:
            steps = tile.slot.step - before.step
            self._replay(tile, device, batch, block, before, tile.slot.step, lanes, -(-steps // REPLAY_PARTS))

    def _bad(self, slot: Slot, since: int, block: Block) -> np.ndarray:
        """`[P]`: which populations have a number that is not finite, now or in a record after the step `since`."""
        first, last = (np.int32(self._rows(step) - block.records.start) for step in (since, slot.step))
        total, buffer = self._defined(slot.carry.total), self._defined(slot.buffer)
        return np.asarray(nonfinite((slot.carry.state, total), buffer, first, last))

    def _defined(self, arrays: dict[str, Any]) -> dict[str, Any]:
        """Those of some observables whose numbers must be finite."""
        seen = self.plan.model.observables
        return {n: v for n, v in arrays.items() if not seen[n if n in seen else n.removesuffix("_mean")].undefined}

    def _rows(self, step: int) -> int:
        """Records taken up to a step."""
        return max(0, step - self.plan.record.burn_in) // self.plan.every

    def _replay(
        self, tile: Tile, device: jax.Device, batch: tuple, block: Block,
        slot: Slot, end: int, lanes: set[int], stride: int,
    ) -> None:  # fmt: skip
        """Go to `end` again in strides; where a population turns bad, go through that stride in smaller ones."""
        while lanes and slot.step < end:
            span, steps = self.span(slot.step, min(stride, end - slot.step), block)
            carry, buffer = tile.program.advance(device, batch, slot.carry, slot.buffer, span)
            after = Slot(slot.step + steps, carry, buffer)
            bad = self._bad(after, slot.step, block)
            found = {lane for lane in lanes if bad[lane]}
            if found and steps > 1:
                self._replay(tile, device, batch, block, slot, after.step, found, -(-steps // REPLAY_PARTS))
            elif found:
                self._note(tile, found, after, block)
            lanes = lanes - found
            slot = after

    def _note(self, tile: Tile, lanes: set[int], slot: Slot, block: Block) -> None:
        row = self._rows(slot.step) - block.records.start - 1
        latest = {name: values[row] for name, values in slot.buffer.items() if row >= 0}
        for lane in sorted(lanes):
            fields = nonfinite_fields(slot.carry.state, lane)
            if not fields:
                parts = map(self._defined, (slot.carry.total, latest))
                seen = [n for part in parts for n, v in part.items() if not _finite(v[lane])]
                fields = [f"observable {name}" for name in dict.fromkeys(n.removesuffix("_mean") for n in seen)]
            self._describe(tile, lane, slot.step, fields)

    def _describe(self, tile: Tile, lane: int, step: int, fields: Sequence[str]) -> None:
        point, replicate = int(tile.points[lane]), int(tile.replicates[lane])
        columns = self.plan.design.columns
        setting = {c.name: _item(c.at(np.array([point]), self.plan.design.shape)) for c in columns}
        report = {
            "population": point * self.plan.replicates + replicate,
            "point": point,
            "replicate": replicate,
            "parameters": setting,
            "step": step,
            "fields": list(fields),
        }
        with self._mutex:
            if len(self.reports) < MAX_REPORTS:
                self.reports.append(report)

    def _report(self, tile: Tile) -> list[dict]:
        with self._mutex:
            keys = {(int(tile.points[lane]), int(tile.replicates[lane])) for lane in tile.bad}
            return [r for r in self.reports if (r["point"], r["replicate"]) in keys]

    def _gather(self, block: Block, tiles: list[Tile]) -> dict[str, np.ndarray]:
        """The block's records, `[box..., replicate or statistic, step, ...]`."""
        plan = self.plan
        rows = block.records.stop - block.records.start
        box = tuple(s.stop - s.start for s in block.box)
        arrays: dict[str, np.ndarray] = {}
        for variable in plan.variables:
            whole = np.empty((int(np.prod(box)), rows, *variable.shape), variable.dtype)
            for tile in tiles:
                assert tile.slot is not None
                part = np.asarray(tile.slot.buffer[variable.name])[:rows, : len(tile.places)]
                whole[tile.places] = np.moveaxis(part, 0, 1)
            if plan.record.reduce:
                points = whole.reshape(-1, plan.replicates, *whole.shape[1:])
                whole = reduction.reduce(points, plan.record.reduce, self.devices[0])
                box_shape = (*box[:-1], len(plan.record.reduce))
            else:
                box_shape = box
            arrays[variable.name] = whole.reshape(*box_shape, rows, *variable.shape)
        return arrays


def _finite(values: Any) -> bool:
    return bool(np.isfinite(np.asarray(values, float)).all())


def _item(values: Any) -> Any:
    value = values[0]
    return value.tolist() if isinstance(value, np.ndarray | np.generic) else value


def workers_on(device: jax.Device, devices: int) -> int:
    """Tiles that run at once on a device: one, or one for each core that a CPU device has to itself."""
    if device.platform != "cpu":
        return 1
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return max(1, cores // devices)
