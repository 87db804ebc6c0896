"""Are samples as good in bfloat16 as in float32?

    python benchmarks/precision.py [--variant dcgan] [--seeds 3] [--steps 1200]

Trains the same small variant on the bundled digits in both precisions, for several seeds, and
compares the samples with digits by a Fréchet distance over the first 64 principal components
of the pixels. That distance means nothing by itself; what counts is whether the two
precisions differ by more than seeds do. The floor is that of digits against other digits.
"""

from __future__ import annotations

import argparse
from collections import deque

import numpy as np
import torch
from rich.console import Console
from rich.table import Table

import ganzoo
from ganzoo.plugins.host import default

SAMPLES = 4000
COMPONENTS = 64


def frechet(a: np.ndarray, b: np.ndarray) -> float:
    """Fréchet distance of two Gaussians fitted to rows."""
    covariances = [np.cov(rows, rowvar=False) for rows in (a, b)]
    # the trace of the root of a product of two covariances, from its eigenvalues
    eigenvalues = np.linalg.eigvals(covariances[0] @ covariances[1]).real.clip(0)
    gap = ((a.mean(0) - b.mean(0)) ** 2).sum()
    return float(gap + sum(c.trace() for c in covariances) - 2 * np.sqrt(eigenvalues).sum())


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--variant", default="dcgan")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--steps", type=int, default=1200)
    arguments = parser.parse_args()

    digits = ganzoo.load_data("digits")
    order = torch.randperm(len(digits), generator=torch.Generator().manual_seed(0))
    pixels = digits.batch("image", order).add(1).div(2).flatten(1).numpy()
    mean = pixels.mean(0)
    axes = np.linalg.svd(pixels[:5000] - mean, full_matrices=False)[2][:COMPONENTS].T

    def project(images: np.ndarray) -> np.ndarray:
        return (images.reshape(len(images), -1) - mean) @ axes

    real = project(pixels[:SAMPLES])
    floor = frechet(real, project(pixels[SAMPLES : 2 * SAMPLES]))
    variant = default().variant(arguments.variant).parse({"width": 32, "batch": 64})
    spec = variant.spec(digits.fields)
    table = Table("precision", *(f"seed {seed}" for seed in range(arguments.seeds)), "mean", "std")
    for precision in ("fp32", "bf16"):
        found: list[float] = []
        for seed in range(arguments.seeds):
            steps = ganzoo.train(
                spec, digits, steps=arguments.steps, seed=seed, precision=precision
            )
            last = deque(steps, maxlen=1).pop()
            samples = last.model().generate(SAMPLES, seed=1, output="np")
            found.append(frechet(real, project(samples)))
        row = [f"{value:.2f}" for value in (*found, np.mean(found), np.std(found, ddof=1))]
        table.add_row(precision, *row)
    Console().print(table, f"floor (digits against other digits): {floor:.2f}")


if __name__ == "__main__":
    main()
