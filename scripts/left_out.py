"""GANomaly with each digit left out in turn: the table in the card of ganomaly-mnist.

    python scripts/left_out.py                    ten digits, two seeds: some hours on two cores
    python scripts/left_out.py --digits 0 2       these

Each run is trained with one digit left out, its last checkpoint is taken, and its scores of the
10,000 test images, in evaluation mode, say how well that digit stands apart. Runs are kept in
runs/left_out/ and gone on with where they were stopped. The table goes to
model_cards/ganomaly-mnist/left_out.json, from which scripts/zoo.py writes the card.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import torch

import ganzoo
from ganzoo import store
from ganzoo.atomic import write_text
from ganzoo.metrics.critics import auroc, lost_in_components
from ganzoo.metrics.evaluation import COMPONENTS, untrained
from ganzoo.metrics.judge import rounded
from ganzoo.model import Model

ROOT = Path(__file__).parent.parent
RUNS = ROOT / "runs" / "left_out"
TABLE = ROOT / "model_cards" / "ganomaly-mnist" / "left_out.json"
STEPS = 1500
SORTED_BATCH = 64
"""The batch in which batch norm in training mode sees the sorted test images."""


def trained(digit: int, seed: int) -> Model:
    """GANomaly that has not seen a digit; trained now, where it has not been before."""
    run = RUNS / f"{digit}-{seed}"
    if not (run / "model" / "config.json").is_file():
        words = ["ganomaly", "--data", f"mnist,without={digit}", "--steps", str(STEPS)]
        words += ["--seed", str(seed), "--out", str(run)]
        if (run / "run.json").is_file():
            words = ["--resume", str(run)]
        command = [str(Path(sys.executable).parent / "ganzoo"), "train", *words]
        subprocess.run(command, cwd=ROOT, check=True)
    return store.load(run / "model")


def in_training_mode(model: Model, images: torch.Tensor) -> np.ndarray:
    """Scores as of code without `eval()`: batch norm sees the neighbours in the batch."""
    for net in model.networks.values():
        net.train()
    task = model.task("score")
    with torch.random.fork_rng():
        parts = [
            model.evaluate(task.output, {"x": batch * 2 - 1})
            for batch in images.split(SORTED_BATCH)
        ]
    for net in model.networks.values():
        net.eval()
    return torch.cat(parts).flatten().numpy()


def measure(digit: int, seeds: list[int]) -> dict[str, Any]:
    """Areas under the curve with one digit left out."""
    train, test = (ganzoo.load_data(f"mnist,without={digit}", split) for split in ("train", "test"))
    images, known = (
        rounded(source.batch("image", torch.arange(len(source))).add(1).div(2))
        for source in (test, train)
    )
    labels = test.batch("label", torch.arange(len(test))).numpy()
    strange = labels == digit
    order = np.argsort(strange, kind="stable")  # all normal ones first

    def area(scores: np.ndarray) -> float:
        return round(auroc(scores[~strange], scores[strange]), 4)

    row: dict[str, Any] = {"digit": digit, "auroc": {}, "sorted_in_training_mode": {}}
    for seed in seeds:
        model = trained(digit, seed)
        row["auroc"][str(seed)] = area(model.score(images).values)
        leaked = np.empty(len(images), np.float32)
        leaked[order] = in_training_mode(
            store.load(RUNS / f"{digit}-{seed}" / "model"), images[order]
        )
        row["sorted_in_training_mode"][str(seed)] = area(leaked)
        row["untrained"] = area(untrained(model).score(images).values)
    pixels, rows = (part.flatten(1).numpy() for part in (known, images))
    row[f"pca_{COMPONENTS}"] = area(lost_in_components(pixels, rows, COMPONENTS))
    return row


def main() -> None:
    parser = argparse.ArgumentParser(description="GANomaly with each digit left out in turn.")
    parser.add_argument("--digits", type=int, nargs="*", default=list(range(10)))
    parser.add_argument("--seeds", type=int, nargs="*", default=[0, 1])
    arguments = parser.parse_args()
    rows = {row["digit"]: row for row in json.loads(TABLE.read_text())} if TABLE.is_file() else {}
    for digit in arguments.digits:
        rows[digit] = measure(digit, arguments.seeds)
        print(json.dumps(rows[digit]))
        lines = ",\n  ".join(json.dumps(rows[key]) for key in sorted(rows))
        TABLE.parent.mkdir(exist_ok=True)
        write_text(TABLE, f"[\n  {lines}\n]\n")


if __name__ == "__main__":
    main()
