"""ganzoo on a CPU beside loops by hand, as one table of ratios, in under five minutes.

    python benchmarks/cpu.py [--threads 1] [--only gan,dcgan] [--seconds 8] [--precision fp32]

Each row is a process of its own, in which all contestants take turns, so that whatever else the
machine does falls on all alike; the public scripts' way is measured for the first four.

    gan ... dcgan 32     28 and 32 px: ganzoo, the ideal loop by hand (`hand.Loop`), the public way
    ganomaly ...         32 px colour, the second stage of stackgan: ganzoo and `hand_others`
    r3gan, stylegan2     32 px colour: ganzoo and a plain loop with the authors' tricks
    score                a published ganomaly: images a second, one at a time and 256 at once

`ms` are medians of a turn, in processor time (user and system) with one thread, else of the wall;
ratios are medians of turns beside each other, with the quartiles of the ratio to the loop by hand.
`faults` are pages a round that the system has to give, `MB` the most memory that the process had.
"""

from __future__ import annotations

import argparse
import copy
import json
import os
import resource
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

HERE = Path(__file__).resolve().parent
GAMES = {
    "gan": (1, 28, {}), "dcgan": (1, 28, {}), "wgan-gp": (1, 28, {}),
    "dcgan 32": (3, 32, {"batch": 32}),
}  # fmt: skip
OTHERS = {
    "ganomaly": (3, 32, {"batch": 32}), "discogan": (3, 32, {"batch": 32}),
    "stackgan": (3, 32, {"batch": 32}),
}  # fmt: skip
MODERN = {
    "r3gan": (3, 32, {"width": 32, "batch": 16}), "stylegan2": (3, 32, {"width": 32, "batch": 16}),
}  # fmt: skip
ROWS = (*GAMES, *OTHERS, *MODERN, "score")


def source(variant: str, channels: int, size: int) -> tuple[Any, Any]:
    import torch

    from ganzoo.data.source import Source
    from ganzoo.spec import Fields, Image, Text

    generator = np.random.default_rng(0)
    pixels = generator.integers(0, 256, (2048, channels, size, size), np.uint8)
    shape = (channels, size, size)
    fields: dict[str, Any] = {"image": Image(shape)}
    arrays: dict[str, Any] = {"image": pixels}
    if variant == "discogan":
        fields = {word: Image(shape, word, True) for word in "ab"}
        arrays = {"a": pixels, "b": pixels[:1024]}
    elif variant == "stackgan":
        fields["text"], arrays["text"] = Text(64, "none"), generator.normal(size=(2048, 64))
    return Source("noise", Fields(fields=fields), arrays), torch.from_numpy(pixels)


ROUNDS = {"discogan": 3, "stylegan2": 4}
"""Rounds of a turn, where not all rounds are alike; two elsewhere."""


def contestants(row: str, precision: str = "auto") -> dict[str, Callable[[], Any]]:
    """What makes a round, by its name; all begin with the same weights."""
    training, by_hand, public = prepared(row, precision)
    found: dict[str, Callable[[], Any]] = {"ganzoo": training.round, "by hand": by_hand.step}
    return found | ({"public": public} if public else {})


def prepared(row: str, precision: Any) -> tuple[Any, Any, Callable[[], Any] | None]:
    """A run of ganzoo, its loop by hand, and a round of the public way."""
    import torch
    from hand import Game, Loop, public
    from hand_others import LOOPS
    from hand_styles import Styles

    import ganzoo
    from ganzoo.engine.training import Training

    channels, size, settings = {**GAMES, **OTHERS, **MODERN}[row]
    variant = row.partition(" ")[0]
    data, pixels = source(variant, channels, size)
    spec: Any = ganzoo.variant(variant, **settings).spec(data.fields)

    device = torch.device("cpu")
    training = Training(spec, data, batch=spec.batch, seed=0, device=device, precision=precision)
    if row in OTHERS:
        training.step = spec.steps - spec.stages[-1].steps if row == "stackgan" else 0
        arrays = {
            name: torch.as_tensor(data._array(draw.field))
            for name, draw in spec.data_draws().items()
        }
        return training, LOOPS[row](spec, training.networks, arrays), None
    if row == "stylegan2":
        return training, Styles(spec, training.networks, pixels), None
    first, second = (update.optimizer for update in spec.stages[0].updates)
    common, rates = (spec.draws["z"].size, spec.batch), (first.lr, second.lr)
    kinds: dict[str, Any] = {
        "wgan-gp": ("C", *common, rates, first.betas, "wasserstein", 5, 10.0),
        "r3gan": ("D", *common, (2e-4, 2e-4), (0.0, 0.9), "relativistic", 1, 2.0),
    }
    kind = kinds.get(row, ("D", *common, rates, first.betas))
    game = Game(*kind, decay=first.weight_decay)
    loop = Loop(game, training.networks, pixels, bf16=training.precision == "bf16")
    if row not in GAMES:
        return training, loop, None
    nets = {n: copy.deepcopy(net).to(memory_format=torch.contiguous_format)
            for n, net in training.networks.items()}  # fmt: skip
    for net in nets.values():
        net.precision = None
    rounds = public(game, nets, pixels, 0)
    return training, loop, lambda: next(rounds)


def raced(
    steps: dict[str, Callable[[], Any]], seconds: float, rounds: int
) -> dict[str, dict[str, float]]:
    """Medians of turns, forwards and backwards, and page faults a round; of others than the first,
    the ratio of the first to them: quartiles of turns."""
    import torch

    clock = time.process_time if torch.get_num_threads() == 1 else time.perf_counter
    times: dict[str, list[float]] = {name: [] for name in steps}
    faults: dict[str, list[float]] = {name: [] for name in steps}
    for step in steps.values():
        for _ in range(rounds):  # all begin a turn with a round of one kind
            step()
    begun, turn = time.monotonic(), 0
    while turn < 4 or (time.monotonic() - begun < seconds and turn < 200):
        for name in sorted(steps, key=[*steps].index, reverse=turn % 2 == 1):
            before, start = resource.getrusage(resource.RUSAGE_SELF).ru_minflt, clock()
            for _ in range(rounds):
                steps[name]()
            times[name].append((clock() - start) / rounds)
            after = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
            faults[name].append((after - before) / rounds)
        turn += 1
    found = {
        name: {"ms": 1e3 * statistics.median(values), "faults": statistics.median(faults[name])}
        for name, values in times.items()
    }
    first, *others = steps
    for name in others:
        ratios = [ours / theirs for ours, theirs in zip(times[first], times[name], strict=True)]
        quarters = statistics.quantiles(ratios, n=4)
        found[name] |= dict(zip(("low", "ratio", "high"), quarters, strict=True))
    return found


def scored(seconds: float) -> dict[str, dict[str, float]]:
    import torch

    import ganzoo

    model = ganzoo.from_pretrained("ganomaly-mnist")
    clock = time.process_time if torch.get_num_threads() == 1 else time.perf_counter
    found = {}
    for name, batch in (("one", 1), ("256", 256)):
        images, times = torch.rand(batch, 1, 28, 28), list[float]()
        begun = time.monotonic()
        while len(times) < 3 or time.monotonic() - begun < seconds / 2:
            start = clock()
            model.score(images)
            times.append((clock() - start) / batch)
        found[name] = {"ms": 1e3 * statistics.median(times), "faults": 0.0}
    return found


def one(row: str, threads: int, seconds: float, precision: str) -> None:
    import torch

    torch.set_num_threads(threads)
    found = (
        scored(seconds)
        if row == "score"
        else raced(contestants(row, precision), seconds, ROUNDS.get(row, 2))
    )
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(json.dumps({"found": found, "memory": memory}))


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--seconds", type=float, default=8.0, help="of a row, about")
    parser.add_argument("--only", default=",".join(ROWS))
    parser.add_argument("--precision", default="auto", help="auto, fp32 or bf16; public is fp32")
    parser.add_argument("--quick", action="store_true", help="whether the script is sound")
    parser.add_argument("--row", help="for its own use")
    given = parser.parse_args()
    if given.row:
        one(given.row, given.threads, given.seconds, given.precision)
        return
    print(
        f"{given.threads} threads, {given.precision}; ms a round, and beside others: ours / theirs"
    )
    print(
        f"{'':10} {'ganzoo ms':>10} {'by hand':>9} {'quartiles':>12} {'public':>8} "
        f"{'faults':>16} {'MB':>7}"
    )
    broken = False
    for row in given.only.split(","):
        command = [sys.executable, __file__, "--row", row, "--threads", str(given.threads)]
        command += ["--seconds", str(0 if given.quick else given.seconds)]
        command += ["--precision", given.precision]
        env = {**os.environ, "OMP_NUM_THREADS": str(given.threads)}
        done = subprocess.run(command, capture_output=True, text=True, env=env, cwd=HERE)
        if done.returncode:
            print(f"{row:10} failed: {done.stderr.strip().splitlines()[-1]}")
            broken = True
            continue
        said = json.loads(done.stdout.strip().splitlines()[-1])
        found, memory = said["found"], said["memory"]
        if row == "score":
            rates = ", ".join(f"{name}: {1e3 / v['ms']:,.0f}/s" for name, v in found.items())
            print(f"{row:10} {rates}  {memory:.0f} MB", flush=True)
            continue
        ours, hand = found["ganzoo"], found["by hand"]
        spread = f"{hand['low']:.3f}-{hand['high']:.3f}"
        public = f"{found['public']['ratio']:.3f}" if "public" in found else ""
        print(
            f"{row:10} {ours['ms']:10.1f} {hand['ratio']:9.3f} {spread:>12} {public:>8} "
            f"{ours['faults']:7.0f} / {hand['faults']:6.0f} {memory:7.0f}",
            flush=True,
        )
    sys.exit(broken)


if __name__ == "__main__":
    main()
