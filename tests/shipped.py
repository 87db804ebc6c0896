"""The variants that ship, each in small: a few units everywhere, images of 16x16."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch

from ganzoo.data.source import Source
from ganzoo.engine.training import Training
from ganzoo.errors import SpecError
from ganzoo.plugins.host import default
from ganzoo.spec import Fields, Image, Label, Network, Spec, Stage, Text
from ganzoo.spec.frozen import fields_of

SHIPPED = {path.name for path in (Path(__file__).parents[1] / "plugins").glob("ganzoo-*")}
"""The distributions of the house."""

SMALL: dict[str, dict[str, Any]] = {
    "gan": {"latent": 5, "width": 8, "pieces": 2},
    "cgan": {"latent": 5, "width": 8, "pieces": 2},
    "dcgan": {"latent": 5, "width": 4},
    "cdcgan": {"latent": 5, "width": 4, "hidden": 6},
    "wgan": {"latent": 5, "width": 4},
    "wgan-gp": {"latent": 5, "width": 4},
    "bigan": {"latent": 5, "width": 8},
    "ali": {"latent": 5, "width": 4, "hidden": 6},
    "wbigan": {"latent": 5, "width": 4, "hidden": 6},
    "ganomaly": {"latent": 5, "width": 4},
    "discogan": {"width": 4},
    "stackgan": {
        "latent": 5,
        "width": 4,
        "condition": 3,
        "reading": 6,
        "residuals": 1,
        "noise": 0.0,
    },
}
"""Settings of each variant that ships: a few units everywhere, images of 16x16."""

CLASSES = 3
BATCH = 4


def small(name: str, channels: int = 1, **settings: Any) -> Spec:
    fields = {
        "image": Image((channels, 16, 16)), "label": Label(CLASSES), "text": Text(7, "none"),
        "a": Image((channels, 16, 16), "a", True), "b": Image((channels, 16, 16), "b", True),
    }  # fmt: skip
    variant = default().variant(name)(**{**SMALL[name], "batch": BATCH, **settings})
    return variant.spec(Fields(fields=fields))


def changed(spec: Spec, old: str, new: str) -> Spec:
    """`spec` with a part of its JSON text replaced, wherever it stands: a mistake put in."""
    text = json.dumps(spec.to_dict())
    assert old in text, f"{old!r} is not in the Spec, so nothing would be tested"
    return read(spec, json.loads(text.replace(old, new)))


def read(spec: Spec, data: dict[str, Any]) -> Spec:
    """A Spec from data; where no gradient reaches what is trained, all the same.

    That is refused before anything runs, and here it is to be seen running.
    """
    try:
        return Spec.from_dict(data)
    except SpecError as error:
        if "no gradient of a term reaches it" not in str(error):
            raise
        stages = tuple(Stage(**stage) for stage in data["stages"])
        networks = {name: Network(**network) for name, network in data["networks"].items()}
        return Spec.model_construct(**{**fields_of(spec), "stages": stages, "networks": networks})


def with_round(spec: Spec, change: Callable[[tuple[Any, ...]], Any]) -> Spec:
    """`spec` with the round that `change` makes of the one it has."""
    [stage] = spec.stages
    return spec.replace(stages=(Stage(tuple(change(stage.round)), stage.steps),))


def data(channels: int = 1, n: int = 12) -> Source:
    generator = torch.Generator().manual_seed(0)
    images = torch.randint(0, 256, (n, channels, 16, 16), generator=generator, dtype=torch.uint8)
    text = torch.randn(n, 7, generator=generator)
    fields = {"image": Image((channels, 16, 16)), "label": Label(CLASSES), "text": Text(7, "none")}
    fields |= {name: Image((channels, 16, 16), name, independent=True) for name in "ab"}
    arrays = {"image": images, "label": torch.arange(n) % CLASSES, "text": text}
    arrays |= {"a": images[: n // 2], "b": 255 - images}
    return Source("noise", Fields(fields=fields), arrays)


def training(spec: Spec, source: Source | None = None) -> Training:
    """A run on the fields of the source that the Spec draws."""
    held = source or data()
    drawn = {draw.field for draw in spec.data_draws().values()}
    held = Source("noise", Fields(fields={field: held.fields[field] for field in drawn}),
                  {field: held._array(field) for field in drawn})  # fmt: skip
    return Training(
        spec, held, batch=spec.batch, seed=0, device=torch.device("cpu"), precision="fp32"
    )
