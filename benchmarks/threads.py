"""What more threads gain in a round, and what ganzoo would choose; ratios of one run.

    python benchmarks/threads.py [--only gan,wgan-gp] [--seconds 8] [--precision fp32]

For each row of `cpu.py`, rounds with one thread and with all take turns in one process. `wall` and
`processor` are what a round with all threads takes, as a share of one with a single thread: the
best turns of each, since a machine that does other things only ever slows one down.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

from cpu import ROUNDS, ROWS, prepared

HERE = Path(__file__).resolve().parent


def one(row: str, seconds: float, precision: str) -> None:
    import torch

    from ganzoo.engine.threads import chosen

    training, _, _ = prepared(row, precision)
    why = chosen(training.plan, training.networks, training.draws.batch, training.device)
    most, rounds = torch.get_num_threads(), ROUNDS.get(row, 2)
    times: dict[int, list[tuple[float, float]]] = {1: [], most: []}
    begun, turn = time.monotonic(), 0
    while turn < 3 or time.monotonic() - begun < seconds:
        for threads in sorted(times, reverse=turn % 2 == 1):
            torch.set_num_threads(threads)
            training.threads = replace(training.threads, number=threads)
            start = time.perf_counter(), time.process_time()
            for _ in range(rounds):
                training.round()
            end = time.perf_counter(), time.process_time()
            if turn:  # the first warms up
                found = [(b - a) / rounds for a, b in zip(start, end, strict=True)]
                times[threads].append((found[0], found[1]))
        turn += 1
    best = {
        threads: [min(turns, key=lambda t: t[kind])[kind] for kind in (0, 1)]
        for threads, turns in times.items()
    }
    print(json.dumps({"threads": most, "one": best[1], "all": best[most], "why": str(why)}))


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--only", default=",".join(ROWS[:-1]))
    parser.add_argument("--seconds", type=float, default=8.0, help="of a row, about")
    parser.add_argument("--precision", default="auto")
    parser.add_argument("--row", help="for its own use")
    given = parser.parse_args()
    if given.row:
        one(given.row, given.seconds, given.precision)
        return
    print(f"{'':10} {'one, ms':>9} {'threads':>8} {'wall':>7} {'processor':>10}")
    for row in given.only.split(","):
        command = [sys.executable, __file__, "--row", row, "--seconds", str(given.seconds)]
        command += ["--precision", given.precision]
        env = {k: v for k, v in os.environ.items() if k != "OMP_NUM_THREADS"}
        env.setdefault("OMP_WAIT_POLICY", "PASSIVE")  # as the command line of ganzoo has it
        done = subprocess.run(command, stdout=subprocess.PIPE, text=True, env=env, cwd=HERE)
        if done.returncode:
            print(f"{row:10} failed")
            continue
        found = json.loads(done.stdout.strip().splitlines()[-1])
        wall, processor = (b / a for a, b in zip(found["one"], found["all"], strict=True))
        print(
            f"{row:10} {1e3 * found['one'][0]:9.1f} {found['threads']:8} {wall:7.2f} "
            f"{processor:10.2f}  {found['why']}",
            flush=True,
        )


if __name__ == "__main__":
    main()
