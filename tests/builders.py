"""What tests are made of: small Specs, data, trainings, models and plugins.

Specs of the whole zoo in small are in `tests.table`, the plugins' own variants in small in
`tests.shipped`, and rounds beside loops written by hand in `tests.rounds`.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

import ganzoo
from ganzoo import Fields, Source, cli
from ganzoo.engine.training import Training
from ganzoo.models import store
from ganzoo.models.model import Model
from ganzoo.nn.build import build, initialize
from ganzoo.plugins.host import default
from ganzoo.spec import (
    SGD,
    Adam,
    Dropout,
    Flatten,
    Image,
    Label,
    LeakyReLU,
    Linear,
    Network,
    Normal,
    Reshape,
    Spec,
    Tanh,
    Text,
    Update,
)
from ganzoo.testing import noise
from tests.table import BATCH, PIXELS, TABLE, arrays, fields

CPU = torch.device("cpu")
SIDE = 8
"""Of the images of `gan`."""


# ------------------------------------------------------------------------------- Specs


def generator(**more: Any) -> Network:
    return Network({"z": ()}, [Linear(SIDE * SIDE), Tanh(), Reshape((1, SIDE, SIDE))], **more)


def critic(**more: Any) -> Network:
    return Network({"x": ()}, [Flatten(), Linear(16), LeakyReLU(), Linear(1)], **more)


def gan(**changes: Any) -> Spec:
    """A GAN of two updates, D and G; `changes` are parts of the Spec that are otherwise."""
    parts: dict[str, Any] = {
        "draws": {"x": Image((1, SIDE, SIDE)), "z": Normal(4)},
        "networks": {"G": generator(), "D": critic()},
        "let": {"fake": "G(z)"},
        "round": [
            Update("D", {"real": "mean(softplus(-D(x)))", "fake": "mean(softplus(D(fake)))"}),
            Update("G", {"fool": "mean(softplus(-D(fake)))"}, Adam(1e-3)),
        ],
        "tasks": {"generate": "G(z)"},
        "steps": 8,
        "batch": 8,
    }
    return Spec(**{**parts, **changes})


def dropping() -> Spec:
    """A GAN with dropout, which draws from torch's global generator."""
    return Spec(
        draws={"x": Image(PIXELS), "z": Normal(3)},
        networks={
            "G": Network({"z": ()}, (Linear(64), Tanh(), Reshape(PIXELS))),
            "D": Network({"x": (Dropout(0.3),)}, (Linear(8), LeakyReLU(), Dropout(0.5), Linear(1))),
        },
        let={"fake": "G(z)"},
        round=[
            Update("D", {"real": "bce(D(x), 1)", "fake": "bce(D(fake), 0)"}),
            Update("G", {"fool": "bce(D(fake), 1)"}),
        ],
        steps=5,
        ema={"G": 0.5},
        tasks={"generate": "G(z)"},
        batch=BATCH,
    )


def diverging() -> Spec:
    """Its loss grows tenfold and more with each step, until it is too large for a float."""
    return Spec(
        draws={"v": Normal(2)},
        networks={"A": Network({"v": ()}, (Linear(1),)), "B": Network({"v": ()}, (Linear(1),))},
        round=[
            Update("B", {"calm": "mean(square(B(v)))"}, SGD(1e-3)),
            Update(
                "A", {"level": "mean(B(v)) + 0 * mean(A(v))", "wild": "mean(square(A(v)))"}, SGD(10)
            ),
        ],
        steps=200,
    )


# ------------------------------------------------------------------ data and trainings


def data_of(row: str, n: int = 16, seed: int = 0) -> Source:
    """Random data for a row of the table."""
    return Source(row, fields(row), arrays(TABLE[row](), n, seed))


def nothing() -> Source:
    """A data set of which nothing is drawn."""
    held = Fields(fields={"label": Label(2)})
    return Source("nothing", held, {"label": np.zeros(4, np.int64)})


def pixels(n: int, channels: int = 1, size: int = 8) -> np.ndarray:
    return np.random.default_rng(n).random((n, size, size, channels), dtype=np.float32)


def training(spec: Spec, source: Source | None = None, seed: int = 0, **more: Any) -> Training:
    """A run on the CPU in fp32; without a source on 8 random images of 8x8."""
    channels = more.pop("channels", 1)
    batch = more.pop("batch", spec.batch if source else 8)
    source = source or noise(SIDE, channels)
    return Training(spec, source, batch=batch, seed=seed, device=CPU, precision="fp32", **more)


def weights(run: Training) -> dict[str, Tensor]:
    """Everything that a run learnt, buffers and moving averages included; a copy."""
    return {name: value.clone() for name, value in run._state().items()}


def same(a: dict[str, Tensor], b: dict[str, Tensor]) -> bool:
    return a.keys() == b.keys() and all(torch.equal(a[key], b[key]) for key in a)


# ------------------------------------------------------------------------------ models


COLOURS = {"red": (255, 0, 0), "green": (0, 160, 0), "blue": (0, 0, 255), "yellow": (250, 220, 0)}
SENTENCES = tuple(f"a {colour} square" for colour in COLOURS)


def model_of(row: str, seed: int = 1) -> Model:
    """A model with random weights of ordinary size, and batch statistics other than 0 and 1."""
    spec = TABLE[row]()
    nets = build(spec, published=True)
    generator = torch.Generator().manual_seed(seed)
    for name, net in nets.items():
        initialize(net, spec.networks[name], seed)
        for key, value in net.state_dict().items():
            if value.is_floating_point():
                noise = torch.randn(value.shape, generator=generator)
                value.copy_(noise.abs() + 0.5 if key.endswith("_var") else 0.5 * noise)
    return Model(spec, {name: nets[name] for name in spec.published})


def trained(variant: str, source: Source | None = None, rounds: int = 3, **settings: Any) -> Model:
    """A variant of a plugin after so many rounds, on digits where no data are given."""
    held = source or ganzoo.load_data("digits")
    spec = default().variant(variant).parse(settings).spec(held.fields)
    batch = 8 if source else 16
    *_, last = ganzoo.train(spec, held, steps=rounds, batch=batch, precision="fp32")
    model = last.model()
    if source is None:
        model.config = model.config.replace(data={"name": "digits"})
    return model


def coloured_squares(folder: Path, rounds: int = 200) -> Path:
    """A text-to-image model in two stages that knows four sentences; needs the text encoder.

    Its rounds are enough for another sentence to be another picture, which pages are asked for.
    """
    row = torch.arange(64) % len(SENTENCES)
    pixels = torch.tensor([*COLOURS.values()], dtype=torch.uint8)[row]
    images = pixels[:, :, None, None].expand(-1, 3, 16, 16).contiguous()
    fields = ganzoo.Fields(
        {"image": Image((3, 16, 16)), "text": Text(examples=SENTENCES)}, name="squares"
    )
    text = torch.from_numpy(ganzoo.embed(SENTENCES))[row]
    source = ganzoo.Source("squares", fields, {"image": images, "text": text})
    settings = {"width": 4, "latent": 4, "condition": 4, "reading": 16, "lr": 2e-3, "kl": 0.1}
    model = trained("stackgan", source, rounds, **settings, residuals=1)
    drawn = {model.generate(1, text=said, output="np").tobytes() for said in SENTENCES}
    assert len(drawn) == len(SENTENCES), "sentences do not differ in their pictures"
    return store.save(model, folder, name="squares", data={"name": "squares", "size": 64})


def two_domains(folder: Path, rounds: int = 30) -> Path:
    """A translator between dark and light pictures."""
    generator = torch.Generator().manual_seed(0)
    images = torch.randint(0, 120, (32, 1, 16, 16), generator=generator, dtype=torch.uint8)
    fields = ganzoo.Fields(
        {name: Image((1, 16, 16), name, independent=True) for name in "ab"}, name="domains"
    )
    source = ganzoo.Source("domains", fields, {"a": images, "b": 255 - images})
    model = trained("discogan", source, rounds, width=4, steps=rounds)
    return store.save(model, folder, name="domains", data={"name": "domains", "size": 32})


# -------------------------------------------------------- plugins and the command line


TINY = """
title: tiny
draws: {x: {kind: image, shape: [1, 16, 16]}, z: {kind: normal, size: 4}}
networks:
  G:
    inputs: {z: []}
    layers: [{kind: linear, units: 256}, {kind: reshape, shape: [1, 16, 16]}, tanh]
  D: {inputs: {x: []}, layers: [{kind: linear, units: 8}, leaky_relu, {kind: linear, units: 1}]}
let: {fake: G(z)}
round:
  - {train: D, minimize: {real: "bce(D(x), 1)", fake: "bce(D(fake), 0)"}}
  - {train: G, minimize: {fool: "bce(D(fake), 1)"}}
steps: 40
tasks: {generate: G(z)}
batch: 8
"""


def run(monkeypatch: pytest.MonkeyPatch, *words: object) -> int:
    """Call the command line in this process; its exit code."""
    monkeypatch.setattr(sys, "argv", ["ganzoo", *map(str, words)])
    try:
        cli.main()
    except SystemExit as stop:
        return int(stop.code or 0)
    raise AssertionError("the command line always exits")
