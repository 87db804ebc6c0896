"""Write docs/gallery.md and the table of README.md: the published models with pictures.

    python scripts/gallery.py            both, and the strips of pictures that they show
    python scripts/gallery.py --check    nothing; exit status 1 where they would change

All of it is made from the folders in `model_cards/`: run it after publishing or measuring.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from PIL import Image
from published import ZOO, Published
from sheets import ALL, SHEETS

ROOT = Path(__file__).parent.parent
CARDS = ROOT / "model_cards"
PAGE = ROOT / "docs" / "gallery.md"
STRIPS = ROOT / "docs" / "gallery"
README = ROOT / "README.md"
START, END = "<!-- table of models: scripts/gallery.py -->", "<!-- end of the table of models -->"

SHOWN = {
    "score_auroc": 3,
    "reconstruction_ratio": 2,
    "encode_nearest_neighbour": 3,
    "fid": 2,
    "fd_efficientnet_lite0": 0,
    "class_accuracy": 3,
    "log_likelihood": 0,
    "r_precision": 3,
    "accuracy": 3,
    "hair_colour_accuracy": 3,
    "to_b_retrieval_1": 3,
    "to_b_taken": 3,
    "to_b_l1": 4,
}
"""The figures of README's table, with their decimals; a model has the first three that it has."""

NAMES = {"fd_efficientnet_lite0": "FD by EfficientNet-Lite0"}
BOUNDS = {"chance", "untrained", "partners", "stage1", "test images", "training images"}
"""References that are no way to do the same without the model."""

ROWS = {
    "samples.png": 8, "translations.png": 2, "partners.png": 2, "anomalies.png": 1,
    "reconstructions.png": 4,
}  # fmt: skip
"""The pictures that can stand for a model, best first, and how many strips each is high."""


def kind(model: Published) -> str:
    """The heading that a model stands under."""
    from ganzoo.models import store

    spec = store.read_config(CARDS / model.name).spec
    tasks = {task.kind for task in spec.tasks.values()}
    if tasks & {"classify", "match"}:
        return "Feature extractors"
    if "translate" in tasks:
        return "Translation"
    if "score" in tasks and "generate" not in tasks:
        return "Anomaly detection"
    if "encode" in tasks:
        return "Generation with an encoder"
    conditions = {draw.kind for draw in spec.draws.values()} - {"image", "noise"}
    if "text" in conditions:
        return "Text to image"
    return "Class-conditional generation" if "label" in conditions else "Generation"


HEADINGS = (
    "Generation",
    "Class-conditional generation",
    "Text to image",
    "Translation",
    "Anomaly detection",
    "Generation with an encoder",
    "Feature extractors",
)


def published() -> dict[str, list[Published]]:
    """The models of which there is a folder with figures, by heading."""
    found: dict[str, list[Published]] = {heading: [] for heading in HEADINGS}
    for model in ZOO:
        if (CARDS / model.name / "metrics.json").is_file():
            found[kind(model)].append(model)
    return {heading: models for heading, models in found.items() if models}


def sheet(model: Published) -> str | None:
    """The name of the picture that stands for a model."""
    return next((name for name in ROWS if (CARDS / model.name / name).is_file()), None)


def strip(model: Published, name: str) -> Image.Image:
    """The first rows of its picture: the same for every model, so none is picked."""
    picture = Image.open(CARDS / model.name / name, formats=["PNG"])
    return picture.crop((0, 0, picture.width, picture.height // ROWS[name]))


def figures(model: Published) -> str:
    from ganzoo import metrics

    report = metrics.read(CARDS / model.name)
    assert report is not None
    names = [name for name in SHOWN if name in report.figures][:3]
    return ", ".join(_figure(name, report.figures[name]) for name in names)


def _figure(name: str, figure: Any) -> str:
    """A figure, with the best simple rival on the same protocol, if it was compared with some."""
    rivals = {way: value for way, value in figure.references.items() if way not in BOUNDS}
    choose = min if figure.better == "lower" else max
    best = choose(rivals, key=lambda way: rivals[way], default="")
    beside = f" ({best} {rivals[best]:.{SHOWN[name]}f})" if best else ""
    said = NAMES.get(name, name.replace("_", " "))
    return f"{said} **{figure.value:.{SHOWN[name]}f}**{beside}"


def table() -> str:
    """README's table of the published models."""
    rows = ["| | model | trained on | figures | size |", "| --- | --- | --- | --- | ---: |"]
    for models in published().values():
        for model in models:
            name = model.name
            size = (CARDS / name / "model.safetensors").stat().st_size / 1e6
            image = f'<img src="docs/gallery/{name}.png" width="260" alt="Pictures by {name}">'
            rows.append(
                f"| {image if sheet(model) else ''} | [{name}](model_cards/{name}/README.md) | "
                f"{model.data} | {figures(model)} | {size:.1f} MB |"
            )
    return "\n".join(rows)


def page() -> str:
    """docs/gallery.md."""
    parts = [
        "# Gallery",
        "The published models by task. Sheets show the samples of one seed, or the first test "
        "images, without selection. The card of each model has its figures, with the values of "
        "real pictures for reference, and the licence of its data.",
    ]
    for heading, models in published().items():
        parts.append(f"## {heading}")
        for model in models:
            name, shown = model.name, sheet(model)
            parts += [f"### {name}", model.summary]
            if shown:
                parts.append(f"![Output of {name}](../model_cards/{name}/{shown})")
            parts.append(f"{figures(model)}. [Card](../model_cards/{name}/README.md). Command:")
            parts.append(f"    {model.command}")
    return "\n\n".join(parts + variants()) + "\n"


def variants() -> list[str]:
    """What the sheets of `scripts/sheets.py` show, a section each."""
    parts: list[str] = []
    for made in ALL:
        facts = SHEETS / f"{made.name}.json"
        if not facts.is_file():
            continue
        told = json.loads(facts.read_text("utf-8"))
        parts += [
            f"### {made.variant} on {made.data}",
            f"![Output of {made.variant}](gallery/variants/{made.name}.png)",
            f"{told['minutes']:.0f} minutes{on(told)}.{covers(told)}{noted(told)} Command:",
            f"    {told['command']}",
        ]
    if not parts:
        return []
    return [
        "## Further variants, after minutes of training",
        "Each was trained on small colour pictures, on one processor core unless said, at a "
        "small size and with settings for a short run; none of these is published. They show "
        "what so short a training gives, not the quality that the variant can reach. Sheets "
        "are of samples; translations have the input picture above.",
        *parts,
    ]


def on(told: Mapping[str, Any]) -> str:
    """The device that made a sheet, if it was no core of a processor."""
    return f" on {told['device']}" if "device" in told else ""


def noted(told: Mapping[str, Any]) -> str:
    """What the picture does not show."""
    return f" {told['note']}" if "note" in told else ""


def covers(told: Mapping[str, Any]) -> str:
    """How many of the modes of stacked digits samples cover, if it was counted."""
    if "modes_covered" not in told:
        return ""
    return (
        f" By `classifier-mnist`, 26,000 samples cover {told['modes_covered']:.0f} of the 1,000 "
        f"modes, with a divergence of {told['modes_divergence']:.2f} from equal shares."
    )


def readme() -> str:
    """README.md with its table anew."""
    text = README.read_text("utf-8")
    before, _, rest = text.partition(START)
    _, _, after = rest.partition(END)
    return f"{before}{START}\n{table()}\n{END}{after}"


def main() -> None:
    parser = argparse.ArgumentParser(description="Write docs/gallery.md and README's table.")
    parser.add_argument("--check", action="store_true")
    check = parser.parse_args().check
    changed = [
        path
        for path, text in ((PAGE, page()), (README, readme()))
        if not path.is_file() or path.read_text("utf-8") != text
    ]
    if check:
        sys.exit(f"run scripts/gallery.py: {', '.join(map(str, changed))}" if changed else 0)
    PAGE.write_text(page(), "utf-8")
    README.write_text(readme(), "utf-8")
    STRIPS.mkdir(exist_ok=True)
    for models in published().values():
        for model in models:
            if name := sheet(model):
                strip(model, name).save(STRIPS / f"{model.name}.png", optimize=True)


if __name__ == "__main__":
    main()
