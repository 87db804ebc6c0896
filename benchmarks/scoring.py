"""How many images a second a score task takes: one at a time, and 256 at once.

python benchmarks/scoring.py [MODEL] [--seconds 5] [--threads 2]
"""

import argparse
import time

import torch

import ganzoo
from ganzoo.spec.draws import Image


def main() -> None:
    parser = argparse.ArgumentParser(description="Images a second of a score task.")
    parser.add_argument("model", nargs="?", default="ganomaly-mnist")
    parser.add_argument("--seconds", type=float, default=5.0)
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    model = ganzoo.from_pretrained(arguments.model)
    draws = model.spec.draws_in(model.task("score").output)
    image = next(d for d in map(model.spec.draws.get, draws) if isinstance(d, Image))
    for batch in (1, 256):
        images = torch.rand(batch, *image.shape)
        model.score(images)
        begun, done = time.perf_counter(), 0
        while (taken := time.perf_counter() - begun) < arguments.seconds:
            model.score(images)
            done += batch
        print(f"{arguments.model}, batch {batch}: {done / taken:,.0f} images a second")


if __name__ == "__main__":
    main()
