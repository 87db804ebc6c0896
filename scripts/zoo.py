"""Make every published model anew, and its folder in `model_cards/`.

    python scripts/zoo.py                 all of them, one after the other
    python scripts/zoo.py dcgan-mnist     these
    python scripts/zoo.py --publish-only  from the finished runs in runs/zoo/

A run that was stopped goes on where it was.
"""

from __future__ import annotations

import argparse
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parent.parent
RUNS = ROOT / "runs" / "zoo"


@dataclass(frozen=True)
class Published:
    """One model of the zoo: the command that trains it, and what its card says of it."""

    name: str
    variant: str
    data: str
    summary: str
    limits: str
    options: tuple[str, ...] = ()

    @property
    def command(self) -> str:
        options = "".join(f" {option}" for option in self.options)
        train = f"ganzoo train {self.variant} --data {self.data}{options}"
        return f"{train} --seed 0 --out runs/zoo/{self.name}"


DIGITS_ONLY = (
    "It draws handwritten digits of 28x28 pixels and nothing else, without a say in which; "
    "about one in six is no clear digit, as on the sheet above. It is for learning and "
    "teaching, not for forging handwriting or for adding to the training data of a system "
    "that matters."
)

ZOO = (
    Published(
        "gan-mnist",
        "gan",
        "mnist",
        "The GAN of the first paper, fully connected, drawing handwritten digits.",
        DIGITS_ONLY,
    ),
    Published(
        "dcgan-mnist",
        "dcgan",
        "mnist",
        "A deep convolutional GAN that draws handwritten digits.",
        DIGITS_ONLY,
    ),
)


def train(model: Published) -> None:
    """Train a model, from its checkpoint where a run was stopped."""
    folder = RUNS / model.name
    if (folder / "model" / "config.json").is_file():
        return
    ganzoo = Path(sys.executable).parent / "ganzoo"
    words = model.command.split()[1:]
    if (folder / "run.json").is_file():
        words = ["train", "--resume", str(folder)]
    subprocess.run([str(ganzoo), *words], cwd=ROOT, check=True)


def publish(model: Published) -> None:
    """Write the folder in `model_cards/` from a finished run: half precision, card, pictures."""
    from ganzoo import card, pictures, runs, store
    from ganzoo.data.catalog import find

    run, folder = RUNS / model.name, ROOT / "model_cards" / model.name
    trained = store.load(run / "model")
    trained.config["command"] = model.command
    trained.config["name"] = model.name
    trained.config["data"] = {**trained.config["data"], "licence": find(model.data).licence}
    store.save(trained, folder, dtype="float16", overwrite=True)
    published = store.load(folder)
    pictures.save_sheet(runs.samples(published, runs.SHEET), folder / "samples.png")
    shutil.copy(run / "losses.png", folder / "losses.png")
    text = card.card(
        published,
        summary=model.summary,
        limits=model.limits,
        pictures=("samples.png", "losses.png"),
    )
    (folder / "README.md").write_text(text, "utf-8")
    size = (folder / "model.safetensors").stat().st_size
    print(f"{model.name}: {size / 1e6:.1f} MB in {folder.relative_to(ROOT)}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("names", nargs="*", choices=[[], *(model.name for model in ZOO)])
    parser.add_argument("--publish-only", action="store_true")
    arguments = parser.parse_args()
    for model in ZOO:
        if not arguments.names or model.name in arguments.names:
            if not arguments.publish_only:
                train(model)
            publish(model)


if __name__ == "__main__":
    main()
