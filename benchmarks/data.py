"""Pictures that do not fit: decoding, the cache, waiting for data, memory.

    python benchmarks/data.py [--pictures 20000] [--size 64] [--rounds 12]

Makes a folder of small JPEGs, decodes it into the cache, reads it again, trains dcgan on it with
nothing held in memory, and says how much of the time the rounds waited for data, and how much
memory the data took. What a larger folder would take follows from the rates.
"""

from __future__ import annotations

import argparse
import os
import tempfile
import time
from pathlib import Path


def make(folder: Path, pictures: int, side: int) -> None:
    import numpy as np
    from PIL import Image

    generator = np.random.default_rng(0)
    for number in range(pictures):
        small = Image.fromarray(generator.integers(0, 256, (6, 6, 3), np.uint8))
        place = folder / f"{number // 1000:03d}"
        place.mkdir(exist_ok=True)
        small.resize((side, side), Image.Resampling.BICUBIC).save(place / f"{number:06d}.jpg")


def resident(kind: str = "VmRSS") -> float:
    """MB of memory of this process; RssFile is what it has of mapped files."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith(kind):
            return int(line.split()[1]) / 1024
    return 0.0


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--pictures", type=int, default=20_000)
    parser.add_argument("--size", type=int, default=64)
    parser.add_argument("--rounds", type=int, default=12)
    parser.add_argument("--batch", type=int, help="of dcgan, where its own takes too long here")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as place:
        os.environ["XDG_CACHE_HOME"] = f"{place}/cache"
        measure(Path(place), given.pictures, given.size, given.rounds, given.batch)


def measure(place: Path, pictures: int, size: int, rounds: int, batch: int | None) -> None:
    import torch

    import ganzoo
    from ganzoo.data.loading import load
    from ganzoo.engine.training import Training

    folder = place / "pictures"
    folder.mkdir()
    begun = time.perf_counter()
    make(folder, pictures, size + size // 2)
    print(
        f"{pictures:,} JPEGs of {size + size // 2} px made in {time.perf_counter() - begun:.0f} s"
    )
    name, took = f"folder:{folder},size={size},channels=3,flip", dict[str, float]()
    for word in ("decoded", "read again"):
        begun = time.perf_counter()
        source = load(name, memory_limit=0)
        took[word] = time.perf_counter() - begun
    bytes_ = pictures * 3 * size * size
    print(
        f"decoded in {took['decoded']:.1f} s ({pictures / took['decoded']:,.0f} pictures a second, "
        f"{os.cpu_count()} processors); the cache, {bytes_ / 1e6:,.0f} MB, checked against its "
        f"digest and mapped in {took['read again']:.1f} s"
    )
    spec = ganzoo.variant("dcgan", **({"batch": batch} if batch else {})).spec(source.fields)
    training = Training(
        spec, source, batch=spec.batch, seed=0, device=torch.device("cpu"), precision="fp32"
    )
    ahead = training.draws.ahead
    assert ahead is not None
    training.round()
    ahead.waited, begun = 0.0, time.perf_counter()
    for _ in range(rounds):
        training.round()
    total = time.perf_counter() - begun
    print(
        f"dcgan, {size} px, batch {spec.batch}: {total / rounds:.2f} s a round, of which "
        f"{ahead.waited / total:.2%} waiting for data"
    )
    # the data alone: every picture once, as rounds ask for them
    before, begun = (resident(), resident("RssFile")), time.perf_counter()
    order = torch.randperm(len(source))
    for index in order.split(spec.batch):
        source.rows("image", index)
    alone = time.perf_counter() - begun
    after = resident(), resident("RssFile")
    print(
        f"all pictures read in the order of a run: {pictures / alone:,.0f} a second; memory "
        f"{before[0]:,.0f} MB before, {after[0]:,.0f} after, of mapped files {before[1]:,.0f} and "
        f"{after[1]:,.0f}"
    )


if __name__ == "__main__":
    main()
