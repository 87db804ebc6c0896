"""Train modern variants on small colour pictures, and draw their sheets for docs/gallery.md.

    python scripts/sheets.py                  all of them, one after the other
    python scripts/sheets.py r3gan began      these, or only r3gan-stacked-mnist
    python scripts/sheets.py --draw-only      the sheets of the finished runs in runs/zoo/

Sizes and settings are such that one processor core trains them in minutes; nothing is published. A
run that was stopped goes on where it was. The sheets are of seed 0, or of the first test pictures.
"""

from __future__ import annotations

import argparse
import json
from dataclasses import dataclass
from pathlib import Path

from zoo import ROOT, RUNS, finished, first_images, train

SHEETS = ROOT / "docs" / "gallery" / "variants"
PORTRAITS, DIGITS = "avatars-32", "stacked-mnist"
UNPAIRED, PAIRED = "avatars-hair-32", "avatars-hair-paired-32"


@dataclass(frozen=True)
class Sheet:
    """One training, and what is drawn of it.

    Args:
        rounds: so many as one free core makes in ten minutes to an hour.
        note: what its picture does not show.
        device: what made it, if it was no core of a processor.
    """

    variant: str
    data: str
    options: str
    rounds: int
    batch: int
    note: str = ""
    device: str = ""

    @property
    def name(self) -> str:
        return f"{self.variant}-{self.data}"

    @property
    def command(self) -> str:
        options = f"{self.options} --batch {self.batch} --steps {self.rounds}".strip()
        return (
            f"ganzoo train {self.variant} --data {self.data} {options} --seed 0 "
            f"--out runs/zoo/{self.name}"
        )


MIDDLE = "--set width=48 --set discriminator_width=48"
ALL = (
    Sheet("dcgan", PORTRAITS, "--set width=32", 3000, 64),
    Sheet("biggan", PORTRAITS, MIDDLE + " --augment diffaugment", 7000, 32),
    Sheet(
        "began",
        PORTRAITS,
        "--set width=24 --set gamma=0.75 --set step=0.05 --set lr=0.0002",
        3500,
        16,
        note="Blurred, with one ground and one hair; skin varies. In steps of 0.001, the default, "
        "k stays near 0 in so short a run, and all are one face.",
    ),
    Sheet(
        "vae-gan",
        PORTRAITS,
        "--set width=48 --set latent=16 --set prior=100 --set gamma=0.01 --set lr=0.0002",
        3500,
        32,
        note="Of 32, six dissolve; grounds are grainy. With codes of 128 numbers and a prior of 1, "
        "all were noise.",
    ),
    Sheet(
        "infogan",
        PORTRAITS,
        "--set width=32 --set lr_generator=0.0005 --augment diffaugment",
        5000,
        64,
        note="Small features blur. Without DiffAugment it collapses after some 2,500 rounds.",
    ),
    Sheet(
        "acgan",
        PORTRAITS,
        "--set width=16 --set dropout=0",
        3000,
        50,
        note="Grounds have a faint grid. With a dropout of one half, the default, most had a "
        "lattice of dots.",
    ),
    Sheet("pix2pix", PAIRED, "--set width=16", 5000, 16),
    Sheet(
        "cut",
        UNPAIRED,
        "--set width=24 --set blocks=3 --set places=64",
        9000,
        4,
        note="Hair turns blond and keeps its cut. Several skins turn lighter, beards vanish, grey "
        "and blue clothes turn green, and grounds turn white or pale blue.",
    ),
    Sheet("sagan", PORTRAITS, MIDDLE + " --augment diffaugment", 8000, 32),
    Sheet(
        "sngan",
        PORTRAITS,
        f"{MIDDLE} --set critic_steps=1 --set decay=false --augment diffaugment",
        14_000,
        32,
        note="Of 32, four have no face, and ten a smeared one.",
    ),
    Sheet("anogan", PORTRAITS, "--set width=24", 3000, 64),
    Sheet("f-anogan", PORTRAITS, "--set width=16 --set critic_steps=1 --set lr=0.0003", 5000, 32),
    Sheet("dcgan", DIGITS, "--set width=32", 4000, 64),
    Sheet(
        "r3gan",
        DIGITS,
        "--set width=96 --set shares=1,1,1,0.5 --set blocks=1 --set gamma=150 --set lr=0.002 "
        "--set burn_in=1",
        14_000,
        64,
        note="On one processor core, 18,000 rounds of 32 with less than half of the weights took "
        "88 minutes and covered 966.",
        device="an H200, beside three other trainings",
    ),
)


def draw(made: Sheet) -> None:
    """Write the sheet of a finished run, and what it took beside it."""
    from ganzoo import pictures, runs
    from ganzoo.metrics import evaluate, modes
    from ganzoo.models import store

    model = store.load(RUNS / made.name / "model")
    SHEETS.mkdir(parents=True, exist_ok=True)
    if model.tasks("generate"):
        images = runs.samples(model, 32)
        pictures.save_sheet(images, SHEETS / f"{made.name}.png", columns=16, scale=2)
    else:
        images = first_images(made.data, 16, "a")
        to = model.translate(images, to="b", output="pt")
        pictures.pairs(images, to).save(SHEETS / f"{made.name}.png", optimize=True)
    seconds = runs.log(RUNS / made.name)[-1]["seconds"]
    facts: dict[str, str | float] = {
        "command": made.command,
        "minutes": round(seconds / 60, 1),
    }
    facts |= {"device": made.device} if made.device else {}
    facts |= {"note": made.note} if made.note else {}
    if made.data == DIGITS:
        report = evaluate(model, metrics=[modes.METRIC])
        facts |= {name: round(figure.value, 3) for name, figure in report.figures.items()}
    (SHEETS / f"{made.name}.json").write_text(json.dumps(facts, indent=2) + "\n", "utf-8")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("names", nargs="*", help="variants, or runs")
    parser.add_argument("--draw-only", action="store_true", help="train nothing")
    given = parser.parse_args()
    wanted = set(given.names)
    chosen = [made for made in ALL if not wanted or wanted & {made.variant, made.name}]
    for made in chosen:
        if not given.draw_only:
            train([made])
        if finished(made):
            draw(made)
            print(f"{made.name}: {Path('docs/gallery/variants') / made.name}.png")
        else:
            print(f"{made.name}: no finished run in runs/zoo/")


if __name__ == "__main__":
    main()
