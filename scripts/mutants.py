"""Thousands of spoilt model folders: none does harm when it is loaded and used.

    nice -n 19 python scripts/mutants.py 20000

Prints every one that raises what is not ganzoo's, gives answers of a wrong size, takes over 2 s of
CPU or 500 MB to load, hangs, or runs a program. One is made again by its number:

    python scripts/mutants.py 1 --first 4711
"""

from __future__ import annotations

import argparse
import random
import resource
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

ROOT = Path(__file__).parents[1]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("number", type=int, nargs="?", default=20_000)
    parser.add_argument("--first", type=int, default=0)
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args()
    sys.path.insert(0, str(ROOT))
    import torch

    from tests import mutants

    torch.set_num_threads(1)
    mutants.settle()
    # a mutant that takes all the memory must end itself and nothing else
    resource.setrlimit(resource.RLIMIT_AS, (24 * 2**30, resource.RLIM_INFINITY))
    ended: Counter[str] = Counter()
    faults, slowest, largest = 0, 0.0, 0.0
    start = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="ganzoo-mutants-") as folder:
        for index in range(given.first, given.first + given.number):
            done = mutants.trial(Path(folder) / "mutant", random.Random(f"{given.seed} {index}"))
            ended[done.ended] += 1
            slowest, largest = max(slowest, done.seconds), max(largest, done.megabytes)
            if done.fault:
                faults += 1
                print(f"{index}: {done.fault}\n    {done.what[:400]}", flush=True)
            if (index + 1) % 500 == 0:
                passed = time.monotonic() - start
                print(f"{index + 1} after {passed:.0f} s, {faults} faults", flush=True)
    print(
        f"{given.number} mutants, {faults} faults; slowest load {slowest:.2f} s, largest "
        f"{largest:.0f} MB; " + ", ".join(f"{name} {count}" for name, count in ended.most_common())
    )
    sys.exit(bool(faults))


if __name__ == "__main__":
    main()
