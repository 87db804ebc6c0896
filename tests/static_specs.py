"""Specs whose rounds run on static tensors: the table, what repeats and drops, what is modern."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from typing import Any

import numpy as np

from ganzoo.data.source import Source
from ganzoo.spec import SGD, Decay, RMSprop, Spec, Stage, Update
from tests.builders import data_of, dropping
from tests.table import TABLE


def patterned() -> Spec:
    """Updates that take turns, repeats, a rate that falls, memory of gradients: four patterns."""
    generator = Update("G", {"fool": "bce(D(fake), 1)"}, SGD(0.05, 0.9), every=2, on=(1,))
    discriminator = {"real": "bce(D(x), 1)", "fake": "bce(D(fake), 0)"}
    penalty = Update("D", {"r1": "r1(D, x)"}, RMSprop(1e-3), every=3, name="lazy")
    first = Update("D", discriminator, RMSprop(0.01, decay=Decay("linear", 0.0)), repeat=2)
    spec = dropping()
    return spec.model_copy(update={"stages": (Stage((first, penalty, generator), steps=12),)})


SPECS: dict[str, Callable[[], Spec]] = {**TABLE, "dropout": dropping, "patterns": patterned}


MODERN = {"r3gan": ("ganzoo_r3gan", "R3GAN"), "stylegan2": ("ganzoo_stylegan", "StyleGAN2")}


SMALL = {"width": 16, "group": 4, "latent": 8}
"""Settings, for those that have them."""


def rows(name: str) -> Any:
    if name in MODERN:
        pixels = np.random.default_rng(0).integers(0, 256, (16, 1, 16, 16), np.uint8)
        return Source.from_arrays("random", pixels)
    return data_of(name if name in TABLE else "dcgan")


def declared(name: str) -> Spec:
    """A small Spec of that name: of the table, of this module, of a plugin with all that is new."""
    if name not in MODERN:
        return SPECS[name]()
    module, variant = MODERN[name]
    made = getattr(importlib.import_module(module), variant)
    settings = {key: value for key, value in SMALL.items() if key in made.model_fields}
    spec: Spec = made(**settings).spec(rows(name).fields)
    return spec.model_copy(update={"batch": 4})
