"""Tables for the cards, from what scripts/left_out.py and scripts/ablations.py measured."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any


def without(folder: Path) -> str:
    """What scripts/ablations.py found, for the card; nothing where it has not been run."""
    path = folder / "ablations.json"
    if not path.is_file():
        return ""
    found = json.loads(path.read_text("utf-8"))
    headings = list(found["rows"][0]["figures"])
    table = [
        f"| {found['part']} | {' | '.join(headings)} |",
        "| --- |" + " ---: |" * len(headings),
        *(
            f"| {row['arm']} | "
            + " | ".join(f"{row['figures'][heading]:.4g}" for heading in headings)
            + " |"
            for row in found["rows"]
        ),
    ]
    return "\n\n".join(
        [
            "## What a part of it does",
            found["about"],
            "\n".join(table),
            "All arms have the same seed, and one run each. "
            f"`python scripts/ablations.py {folder.name}` makes the table again.",
        ]
    )


def left_out(folder: Path) -> str:
    """What scripts/left_out.py found, for the card; nothing where it has not been run."""
    path = folder / "left_out.json"
    if not path.is_file():
        return ""
    rows = json.loads(path.read_text("utf-8"))
    seeds = sorted(rows[0]["auroc"])

    def mean(values: Sequence[float]) -> float:
        return sum(values) / len(values)

    def line(name: str, some: Sequence[dict[str, Any]]) -> str:
        of = [[row["auroc"][seed] for row in some] for seed in seeds]
        leaked = [mean(list(row["sorted_in_training_mode"].values())) for row in some]
        cells = [mean(column) for column in of]
        cells += [mean([row["pca_20"] for row in some]), mean([row["untrained"] for row in some])]
        return f"| {name} | " + " | ".join(f"{cell:.3f}" for cell in (*cells, mean(leaked))) + " |"

    table = [
        f"| left out | {' | '.join(f'seed {seed}' for seed in seeds)} | PCA, 20 components "
        "| untrained net | sorted, in training mode |",
        "| --- |" + " ---: |" * (len(seeds) + 3),
        *(line(str(row["digit"]), [row]) for row in rows),
        line("mean", rows),
        line("mean but for 1", [row for row in rows if row["digit"] != 1]),
    ]
    return "\n".join(
        [
            "## Each digit left out in turn",
            "",
            "Area under the ROC curve of the score over the 10,000 test images: last checkpoint, "
            "evaluation mode, no scaling by what the test set holds. The 1 is hard for this "
            "method: it is the simplest digit, and what can draw the others can draw it.",
            "",
            *table,
            "",
            "The last column is a mistake to know about, as published figures suffer from it: "
            "with batch normalisation left in training mode and the test set sorted, normal images "
            "first, batches of strange images are normalised by themselves, and the score tells "
            "the batch rather than the image. `python scripts/left_out.py` makes the table again.",
        ]
    )
