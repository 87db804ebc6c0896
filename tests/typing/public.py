# pyright: strict
"""What a type checker sees of the public names; pyright checks this file, and nobody runs it."""

from __future__ import annotations

from typing import assert_type

import numpy as np
from PIL.Image import Image
from torch import Tensor

import ganzoo
from ganzoo.models.images import Images, Output


def draws(model: ganzoo.Model, output: Output) -> None:
    assert_type(model.generate(4), list[Image])
    assert_type(model.generate(4, output="pil"), list[Image])
    assert_type(model.generate(4, output="np"), np.ndarray)
    assert_type(model.generate(4, output="pt", label=3), Tensor)
    assert_type(model.generate(4, output=output), Images)


def other_tasks(model: ganzoo.Model, images: np.ndarray) -> None:
    assert_type(model.reconstruct(images, output="np"), np.ndarray)
    assert_type(model.reconstruct(images), list[Image])
    assert_type(model.decode(images, output="pt"), Tensor)
    assert_type(model.translate(images, to="b", output="np"), np.ndarray)
    assert_type(model.encode(images), np.ndarray)
    assert_type(model.classify(images), np.ndarray)
    assert_type(model.score(images), ganzoo.Scores)


def the_door() -> None:
    assert_type(ganzoo.from_pretrained("dcgan-mnist"), ganzoo.Model)
    assert_type(ganzoo.load_spec("my.yaml"), ganzoo.Spec)
    assert_type(ganzoo.list_variants(), list[str])
    assert_type(ganzoo.list_models(task="score"), list[str])
    made = ganzoo.variant("dcgan", width=32)
    assert_type(made, ganzoo.Variant)
    data = ganzoo.load_data("digits")
    assert_type(data, ganzoo.Source)
    spec = made.spec(data.fields)
    assert_type(spec.replace(batch=32), ganzoo.Spec)
    for step in ganzoo.train(spec, data):
        assert_type(step, ganzoo.Step)
        assert_type(step.model(), ganzoo.Model)
        assert_type(step.losses(), dict[str, float])
