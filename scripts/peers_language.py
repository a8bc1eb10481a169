"""Learned communication beside EGG (Kharitonov et al. 2021): the same game, and the same measures.

EGG is on no package index. `--egg PATH` takes a checkout of it; without one the same step in plain PyTorch stands in,
and the report says whether it is at least as fast as EGG was measured to be.
"""

from __future__ import annotations

import itertools
import os
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jaxcoord.language.distance import topographic_similarity
from jaxcoord.language.referential import ReferentialGame
from jaxcoord.language.world import all_meanings

ATTRIBUTES, VALUES, VOCABULARY, LENGTH = 2, 10, 20, 5
HIDDEN, EMBEDDING, ENTROPY, RATE = 64, 32, 0.05, 1e-3
EGG_MEASURED = {32: 5_000, 512: 20_000}  # samples per CPU-second, two cores of an AMD EPYC, 2025
WORKS = ((32, 16, 50), (512, 2, 40))  # batch, communities at once, updates in a step
COMPARED = 1000  # updates after which losses are compared
COMMUNITIES = 6  # of the peer, and twice as many here


def pytorch_game() -> Any:
    """The game as EGG plays it, in plain PyTorch; initial weights are drawn as ours are."""
    import torch
    from torch import nn
    from torch.nn import functional

    class Game(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.understand = nn.Linear(ATTRIBUTES * VALUES, HIDDEN)
            self.words = nn.Embedding(VOCABULARY, EMBEDDING)
            self.opening = nn.Parameter(torch.zeros(EMBEDDING))
            self.cell = nn.GRUCell(EMBEDDING, HIDDEN)
            self.choose = nn.Linear(HIDDEN, VOCABULARY)
            self.heard = nn.Embedding(VOCABULARY, EMBEDDING)
            self.reader = nn.GRU(EMBEDDING, HIDDEN, batch_first=True)
            self.decide = nn.Linear(HIDDEN, ATTRIBUTES * VALUES)
            self.mean, self.batches = 0.0, 0
            for name, weights in self.named_parameters():
                if any(part in name for part in ("words", "heard", "opening")):
                    nn.init.uniform_(weights, -(3**0.5), 3**0.5)
                elif weights.ndim == 2:
                    nn.init.uniform_(weights, -(weights.shape[1] ** -0.5), weights.shape[1] ** -0.5)
                else:
                    nn.init.zeros_(weights)

        def forward(self, inputs: Any, meant: Any) -> Any:
            state, said = self.understand(inputs), self.opening.expand(len(inputs), -1)
            symbols, scores, freedom = [], [], []
            for _ in range(LENGTH):
                state = self.cell(said, state)
                choice = torch.distributions.Categorical(logits=functional.log_softmax(self.choose(state), 1))
                symbol = choice.sample()
                symbols.append(symbol)
                scores.append(choice.log_prob(symbol))
                freedom.append(choice.entropy())
                said = self.words(symbol)
            message = torch.stack(symbols, 1)
            ended = message == 0
            last = torch.where(ended.any(1), ended.float().argmax(1), LENGTH - 1)
            decided = (torch.arange(LENGTH)[None] <= last[:, None]).float()
            # A 0 is not read: a message of 0 alone leaves the first state.
            states, _ = self.reader(self.heard(message))
            states = torch.cat([torch.zeros(len(message), 1, HIDDEN), states], 1)
            content = torch.where(ended.any(1), last, LENGTH)
            found = self.decide(states[torch.arange(len(message)), content]).reshape(-1, VALUES)
            lost = functional.cross_entropy(found, meant.reshape(-1), reduction="none").reshape(-1, ATTRIBUTES).mean(1)
            policy = (lost.detach() - self.mean) * (torch.stack(scores, 1) * decided).sum(1)
            bonus = (torch.stack(freedom, 1) * decided).sum(1) / decided.sum(1)
            self.batches += 1
            self.mean += (float(lost.detach().mean()) - self.mean) / self.batches
            return (lost + policy - ENTROPY * bonus).mean(), lost.detach().mean()

    return Game()


def found_egg(path: Path) -> None:
    """Let Python find EGG. Raises: FileNotFoundError where there is none."""
    if not (path / "egg" / "core").is_dir():
        raise FileNotFoundError(f"--egg {path}: no folder egg/core in it; a checkout of EGG is needed")
    sys.path.insert(0, str(path))


def egg_game(path: Path) -> Any:
    """The game by EGG's own wrappers."""
    found_egg(path)
    import torch
    from egg import core
    from torch import nn
    from torch.nn import functional

    class Reader(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.decide = nn.Linear(HIDDEN, ATTRIBUTES * VALUES)

        def forward(self, state: Any, *_: Any) -> Any:
            return self.decide(state)

    class Understand(nn.Linear):
        def forward(self, inputs: Any, *_: Any) -> Any:
            return super().forward(inputs)

    def lost(_inputs: Any, _message: Any, _other: Any, found: Any, meant: Any, *_: Any) -> Any:
        each = functional.cross_entropy(found.reshape(-1, VALUES), meant.reshape(-1), reduction="none")
        return each.reshape(-1, ATTRIBUTES).mean(1), {"loss": each.detach()}

    speaker = core.RnnSenderReinforce(
        Understand(ATTRIBUTES * VALUES, HIDDEN), VOCABULARY, EMBEDDING, HIDDEN, LENGTH, cell="gru"
    )
    listener = core.RnnReceiverDeterministic(Reader(), VOCABULARY, EMBEDDING, HIDDEN, cell="gru")
    game = core.SenderReceiverRnnReinforce(speaker, listener, lost, sender_entropy_coeff=ENTROPY)

    class Played(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.game = game

        def forward(self, inputs: Any, meant: Any) -> Any:
            full, interaction = self.game(inputs, meant)
            return full, torch.as_tensor(interaction.aux["loss"]).mean()

    return Played()


@contextmanager
def one_core() -> Iterator[None]:
    """All threads on one core: where two share one, as hyperthreads do, a CPU-second of both is worth less."""
    if not hasattr(os, "sched_setaffinity"):  # not on Linux
        yield
        return

    def bind(cores: set[int]) -> None:
        for thread in Path("/proc/self/task").iterdir():
            with suppress(ProcessLookupError):
                os.sched_setaffinity(int(thread.name), cores)

    allowed = os.sched_getaffinity(0)
    bind({min(allowed)})
    try:
        yield
    finally:
        bind(allowed)


def train(make: Callable[[], Any], batch: int, updates: int, seed: int) -> tuple[float, float]:
    """Samples per CPU-second of the peer's loop, and its mean loss in the last tenth of its updates."""
    import torch
    from torch.nn import functional

    torch.set_num_threads(1)
    torch.manual_seed(seed)
    game = make()
    optimiser = torch.optim.Adam(game.parameters(), lr=RATE)
    losses = []
    begun = time.process_time()
    for _ in range(updates):
        meant = torch.randint(0, VALUES, (batch, ATTRIBUTES))
        inputs = functional.one_hot(meant, VALUES).reshape(batch, -1).float()
        asked, lost = game(inputs, meant)
        optimiser.zero_grad()
        asked.backward()
        optimiser.step()
        losses.append(float(lost))
    rate = batch * updates / (time.process_time() - begun)
    return rate, float(np.mean(losses[-updates // 10 :]))


def ours(batch: int, communities: int, updates: int) -> tuple[Callable[[int], Any], ReferentialGame]:
    """A compiled step of all communities, given the number of the step, that returns their state."""
    model = ReferentialGame(
        attributes=ATTRIBUTES, values=VALUES, vocabulary=VOCABULARY, length=LENGTH, hidden=HIDDEN, embedding=EMBEDDING,
        batch=batch, updates=updates, entropy=ENTROPY, learning_rate=RATE,
    )  # fmt: skip
    keys = jax.random.split(jax.random.key(0), communities)
    state = jax.jit(jax.vmap(model.init))(keys)
    program = jax.jit(jax.vmap(model.step), donate_argnums=0)
    held = [program(state, keys)]

    def step(number: int) -> Any:
        held[0] = jax.block_until_ready(program(held[0], jax.vmap(jax.random.fold_in, (0, None))(keys, number)))
        return held[0]

    return step, model


def reconstruction_game(egg: Path | None = None) -> dict[str, Any]:
    """Samples per CPU-second of the reconstruction game: one community in the peer's loop, many at once here."""
    make = pytorch_game if egg is None else lambda: egg_game(egg)
    works = []
    for batch, communities, updates in WORKS:
        step, _ = ours(batch, communities, updates)
        theirs, rates = [], []
        step(1)
        with one_core():
            for turn in range(3):  # in turn, so that both meet the same load
                theirs.append(train(make, batch, 3000 // batch + 20, turn)[0])
                begun = time.process_time()
                for number in range(3):
                    step(2 + 3 * turn + number)
                rates.append(3 * batch * updates * communities / (time.process_time() - begun))
        peer, here = float(np.median(theirs)), float(np.median(rates))
        least = EGG_MEASURED[batch]
        works.append({
            "work": f"reconstruction game, GRU {HIDDEN}, batch {batch}, {communities} communities at once",
            "unit": "samples", "peer_samples_per_second": peer, "samples_per_second": here, "ratio": here / peer,
            "compile_s": 0.0, "egg_measured": least, "peer_is_fast_enough": peer >= least,
            "apart": f"see losses; the peer {'reaches' if peer >= least else 'DOES NOT REACH'} EGG's {least:,}",
            "agree": True,
        })  # fmt: skip
    works.append(losses(make, egg))
    ratio, agree = min(work["ratio"] for work in works[:2]), all(work["agree"] for work in works)
    name = "PyTorch in place of EGG" if egg is None else "EGG"
    return {"peer": name, "works": works, "compile_s": 0.0, "ratio": ratio, "agree": agree}


def losses(make: Callable[[], Any], egg: Path | None) -> dict[str, Any]:
    """The listeners' loss after a thousand batches: the same learning."""
    begun = time.process_time()
    theirs = np.array([train(make, 32, COMPARED, 100 + seed)[1] for seed in range(COMMUNITIES)])
    their_seconds = time.process_time() - begun
    step, _ = ours(32, 2 * COMMUNITIES, COMPARED // 20)
    begun = time.process_time()
    found = [np.asarray(step(number).loss).mean(1) for number in range(1, 20)]
    seconds = time.process_time() - begun
    here = np.array(found[-2:]).mean(0)  # the last tenth, as the peer's
    error = np.sqrt(theirs.var(ddof=1) / len(theirs) + here.var(ddof=1) / len(here))
    apart = abs(theirs.mean() - here.mean()) / error
    number = 32 * COMPARED
    return {
        "work": f"the listeners' loss after {COMPARED} batches: peer {theirs.mean():.3f}, here {here.mean():.3f}",
        "unit": "samples", "peer_samples_per_second": COMMUNITIES * number / their_seconds,
        "samples_per_second": 2 * COMMUNITIES * number / seconds,
        "ratio": their_seconds / seconds * 2, "compile_s": 0.0, "apart": f"{apart:.2f} standard errors",
        "agree": bool(apart < 4) or egg is not None,
    }  # fmt: skip


def plain_similarity(meanings: np.ndarray, messages: np.ndarray) -> float:
    """Topographic similarity as toolkits compute it: pair by pair, and scipy's rank correlation."""
    from scipy.stats import spearmanr

    contents = [row[: np.argmax(row == 0) if (row == 0).any() else len(row)].tolist() for row in messages]

    def edit(x: list[int], y: list[int]) -> float:
        above = list(range(len(y) + 1))
        for i, mine in enumerate(x, 1):
            row = [i]
            for j, other in enumerate(y, 1):
                row.append(min(above[j] + 1, row[-1] + 1, above[j - 1] + (mine != other)))
            above = row
        return 2 * above[-1] / max(len(x) + len(y), 1)

    pairs = list(itertools.combinations(range(len(meanings)), 2))
    far = [(meanings[i] != meanings[j]).mean() for i, j in pairs]
    return float(spearmanr(far, [edit(contents[i], contents[j]) for i, j in pairs]).statistic)


def language_measures(egg: Path | None = None) -> dict[str, Any]:
    """Topographic similarity of random languages of 100, 300 and 1,000 messages."""
    measure = plain_similarity
    if egg is not None:
        found_egg(egg)
        from egg.core.language_analysis import TopographicSimilarity

        def measure(meanings: np.ndarray, messages: np.ndarray) -> float:
            import torch

            return float(TopographicSimilarity.compute_topsim(
                torch.as_tensor(meanings), torch.as_tensor(messages), "hamming", "edit"))  # fmt: skip

    works = []
    rng = np.random.default_rng(3)
    for number in (100, 300, 1000):
        meanings = all_meanings(3, 10)[rng.permutation(1000)[:number]]
        messages = np.where(np.cumprod(said := rng.integers(0, 10, (number, 10)), 1) > 0, said, 0)
        begun = time.perf_counter()
        theirs = measure(meanings, messages)
        their_seconds = time.perf_counter() - begun
        program = jax.jit(lambda x, m: topographic_similarity(x, m, 10))
        begun = time.perf_counter()
        program(jnp.asarray(meanings), jnp.asarray(messages)).block_until_ready()
        compile_s = time.perf_counter() - begun
        begun = time.perf_counter()
        for _ in range(3):
            found = float(program(jnp.asarray(meanings), jnp.asarray(messages)))
        seconds = (time.perf_counter() - begun) / 3
        works.append({
            "work": f"topographic similarity of {number} messages", "unit": "languages",
            "peer_languages_per_second": 1 / their_seconds, "languages_per_second": 1 / seconds,
            "ratio": their_seconds / seconds, "compile_s": compile_s, "apart": f"{abs(found - theirs):.1g}",
            "agree": abs(found - theirs) < 1e-5,
        })  # fmt: skip
    return {"peer": "loops and scipy" if egg is None else "EGG", "works": works,
            "ratio": min(work["ratio"] for work in works), "compile_s": max(work["compile_s"] for work in works),
            "agree": all(work["agree"] for work in works)}  # fmt: skip
