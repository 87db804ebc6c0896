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
from pathlib import Path
from typing import Any

import numpy as np
import torch
from zoo import CARDS, ROOT, train

import ganzoo
from ganzoo.atomic import write_text
from ganzoo.metrics.anomalies import COMPONENTS, auroc, lost_in_components
from ganzoo.metrics.evaluation import untrained
from ganzoo.metrics.feature_extractors import rounded
from ganzoo.models import store
from ganzoo.models.model import Model

RUNS = ROOT / "runs" / "left_out"
TABLE = CARDS / "ganomaly-mnist" / "left_out.json"
STEPS = 1500
SORTED_BATCH = 64
"""The batch in which batch norm in training mode sees the sorted test images."""


def trained(digit: int, seed: int) -> Path:
    """The model that has not seen a digit; trained now, where it has not been before."""
    run = RUNS / f"{digit}-{seed}"
    what = f"ganzoo train ganomaly --data mnist,without={digit} --steps {STEPS}"
    train(f"{what} --seed {seed} --out {run.relative_to(ROOT)}", run)
    return run / "model"


def in_training_mode(model: Model, images: torch.Tensor) -> np.ndarray:
    """Scores as of code without `eval()`: batch norm sees the neighbours in the batch.

    The model is spoilt by it, as its running statistics go on.
    """
    for net in model.networks.values():
        net.train()
    values = {"x": images * 2 - 1}
    return model.outputs(model.task("score").output, values, SORTED_BATCH).flatten().numpy()


def measure(digit: int, seeds: list[int]) -> dict[str, Any]:
    """Areas under the curve with one digit left out."""
    normal, test = (
        ganzoo.load_data(f"mnist,without={digit}", split) for split in ("train", "test")
    )
    images, known = (
        rounded(source.batch("image", torch.arange(len(source))).add(1).div(2))
        for source in (test, normal)
    )
    labels = test.batch("label", torch.arange(len(test))).numpy()
    strange = labels == digit
    order = np.argsort(strange, kind="stable")  # all normal ones first

    def area(scores: np.ndarray) -> float:
        return round(auroc(scores[~strange], scores[strange]), 4)

    row: dict[str, Any] = {"digit": digit, "auroc": {}, "sorted_in_training_mode": {}}
    for seed in seeds:
        folder = trained(digit, seed)
        model = store.load(folder)
        row["auroc"][str(seed)] = area(model.score(images).values)
        leaked = np.empty(len(images), np.float32)
        leaked[order] = in_training_mode(store.load(folder), images[order])
        row["sorted_in_training_mode"][str(seed)] = area(leaked)
    first = store.load(trained(digit, seeds[0]))
    row["untrained"] = area(untrained(first).score(images).values)
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
