"""Planes, directions and classes of a latent space."""

from __future__ import annotations

import threading
from typing import Any

import numpy as np
import pytest
import torch

import ganzoo
from ganzoo.errors import TaskError
from ganzoo.models.directions import directions, moved, on_the_plane, towards_class
from ganzoo.models.latents import of_seed
from ganzoo.models.model import Model
from tests.builders import model_of, trained


def asked(model: Model) -> tuple[Any, list[dict[str, np.ndarray]]]:
    task = model.task("generate")
    return task, [of_seed(model, task, 1, seed) for seed in (1, 2, 3)]


@pytest.mark.parametrize("row", ["gan", "dcgan"])
def test_a_plane_passes_through_its_corners(row: str) -> None:
    model = model_of(row)
    task, corners = asked(model)
    found = on_the_plane(model, task, corners, [0, 1, 0], [0, 0, 1])
    for name, rows in found.items():
        for corner, value in zip(corners, rows, strict=True):
            np.testing.assert_allclose(value, corner[name][0], atol=1e-6)


def test_normal_noise_on_a_plane_is_as_likely_as_any() -> None:
    model = ganzoo.from_pretrained("dcgan-mnist")  # draws z, 100 numbers
    task, corners = asked(model)
    places = np.random.default_rng(0).uniform(0, 1, (2, 50))
    found = on_the_plane(model, task, corners, *places)["z"]
    lengths = np.linalg.norm(found, axis=1)
    assert lengths.mean() == pytest.approx(10, rel=0.1) and lengths.std() < 1


def test_the_first_direction_changes_the_first_layer_the_most() -> None:
    model = model_of("gan")
    task, corners = asked(model)
    found = directions(model, task, 3)
    (name,) = found.noise
    weight = next(p for p in model.networks["G"].parameters() if p.ndim == 2).detach().numpy()
    ways = found.noise[name].reshape(3, -1)
    np.testing.assert_allclose(ways @ ways.T, np.eye(3), atol=1e-4)
    lengths = np.linalg.norm(weight @ ways.T, axis=0)
    sizes = np.linalg.svd(weight, compute_uv=False)
    np.testing.assert_allclose(lengths, sizes[:3], rtol=1e-3)
    np.testing.assert_allclose(found.shares, sizes[:3] ** 2 / (sizes**2).sum(), rtol=1e-3)
    far = moved(model, task, corners[0], found, [0.5, 0, 0])[name]
    at = corners[0][name] + 0.5 * found.noise[name][0]
    assert np.abs(far - at).max() < 1e-5 or np.abs(far).max() <= 1.74  # uniform noise is clipped


def test_what_takes_noise_by_no_weights_has_no_directions() -> None:
    model = model_of("gan")
    task, _ = asked(model)
    for net in model.networks.values():
        for weight in net.parameters():
            weight.zero_()  # nothing that leaves its layers follows the noise
    with pytest.raises(TaskError, match="no directions"):
        directions(model, task)


def test_on_the_way_to_another_class() -> None:
    model = trained("cgan", rounds=1, width=8, batch=8)
    noise = of_seed(model, model.task("generate"), 2, 0)

    def drawn(label: int) -> torch.Tensor:
        return model.generate(2, noise=noise, label=label, output="pt")

    three, eight = drawn(3), drawn(8)
    for amount, expected in ((0.0, three), (1.0, eight)):
        with towards_class(model, 8, amount):
            torch.testing.assert_close(drawn(3), expected)
    with towards_class(model, 8, 0.5):
        half = drawn(3)
        others: list[torch.Tensor] = []
        thread = threading.Thread(target=lambda: others.append(drawn(3)))
        thread.start()
        thread.join()
    assert not torch.equal(half, three) and not torch.equal(half, eight)
    torch.testing.assert_close(others[0], three)  # another thread draws what it asked for
    torch.testing.assert_close(drawn(3), three)
