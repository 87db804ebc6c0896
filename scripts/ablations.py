"""What becomes of a model without one of its parts: the tables of ablations in the cards.

    python scripts/ablations.py                           all of them
    python scripts/ablations.py discogan-mnist-outlines     this one

All arms are trained alike but for the part, and measured as `ganzoo eval` does; one of them is the
published model itself. Runs are kept in runs/ablations/ and gone on with where they were stopped.
The table goes to `ablations.json` beside the published model, from which scripts/zoo.py writes the
card.
"""

from __future__ import annotations

import argparse
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from zoo import CARDS, ROOT, ZOO, train

from ganzoo.atomic import write_text
from ganzoo.metrics import evaluate
from ganzoo.models import store

RUNS = ROOT / "runs" / "ablations"


@dataclass(frozen=True)
class Ablation:
    """A published model, and the options that each arm is trained with; none: the model itself.

    `figures` names the columns: a figure, or a reference beside one as `figure/reference`.
    """

    part: str
    about: str
    arms: dict[str, str]
    figures: dict[str, str]


ABLATIONS = {
    "discogan-mnist-outlines": Ablation(
        part="reconstruction",
        about="Both generators are trained in each arm. What differs is whether an image must come "
        "back from the other domain: from both, from one (`a` alone), or not at all.",
        arms={
            "in both directions": "",
            "in one direction": "--set cycle=one",
            "none": "--set cycle=none",
        },
        figures={
            "partner found, a to b": "to_b_retrieval_1",
            "class kept, a to b": "to_b_class_kept",
            "partner found, b to a": "to_a_retrieval_1",
            "class kept, b to a": "to_a_class_kept",
        },
    ),
    "stackgan-fashion": Ablation(
        part="conditioning augmentation",
        about="The first stage alone, with the condition drawn around what the sentence says, and "
        "with the condition as it is; as many rounds of that stage. Captions are of combinations "
        "that were held out.",
        arms={
            "with it": "",
            "without it": "--set steps_large=1 --set augment=false",
        },
        figures={
            "garment right": "class_accuracy/stage1",
            "colour right": "colour_accuracy/stage1",
            "background right": "background_accuracy/stage1",
            "Fréchet distance": "stage1_fid",
        },
    ),
}


def measure(name: str) -> dict[str, Any]:
    """Train and measure all arms of an ablation."""
    ablation = ABLATIONS[name]
    (model,) = (model for model in ZOO if model.name == name)
    rows: list[dict[str, Any]] = []
    for number, (arm, options) in enumerate(ablation.arms.items()):
        trained = CARDS / name
        if options:
            folder = RUNS / f"{name}-{number}"
            words = " ".join(filter(None, (model.options, options)))
            command = f"ganzoo train {model.target} --data {model.data} {words} --seed 0"
            train(f"{command} --out {folder.relative_to(ROOT)}", folder)
            trained = folder / "model"
        report = evaluate(store.load(trained))
        found: dict[str, float] = {}
        for heading, path in ablation.figures.items():
            figure, _, reference = path.partition("/")
            given = report.figures[figure]
            found[heading] = given.references[reference] if reference else given.value
        rows.append({"arm": arm, "options": options, "figures": found})
        print(json.dumps(rows[-1]), flush=True)
    return {"part": ablation.part, "about": ablation.about, "rows": rows}


def main() -> None:
    parser = argparse.ArgumentParser(description="Models without one of their parts.")
    parser.add_argument("names", nargs="*", choices=[[], *ABLATIONS])
    for name in parser.parse_args().names or ABLATIONS:
        path: Path = CARDS / name / "ablations.json"
        write_text(path, json.dumps(measure(name), indent=2, ensure_ascii=False) + "\n")


if __name__ == "__main__":
    main()
