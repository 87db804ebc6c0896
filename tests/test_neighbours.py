"""Distances to the nearest of known images, against the plain computation."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from ganzoo.metrics import neighbours

random = np.random.default_rng(0)


@pytest.mark.parametrize("k", [1, 3])
def test_nearest_is_the_definition(k: int) -> None:
    known, rows = random.random((50, 6)), random.random((20, 6))
    distances = np.linalg.norm(rows[:, None] - known[None], axis=2)
    expected = np.sort(distances, 1)[:, :k].mean(1)
    np.testing.assert_allclose(neighbours.nearest([known], rows, k), expected, rtol=1e-4)
    in_parts = neighbours.nearest([known[:2], known[2:40], known[40:]], rows, k)
    np.testing.assert_allclose(in_parts, expected, rtol=1e-4)


def test_with_fewer_known_rows_than_neighbours() -> None:
    found = neighbours.nearest([np.zeros((2, 1))], np.array([[3.0]]), 5)
    assert found == pytest.approx([3])


def test_large_images_are_averaged_and_small_ones_are_not() -> None:
    small, large = torch.rand(2, 1, 28, 28), torch.rand(2, 3, 64, 64)
    np.testing.assert_array_equal(neighbours.pixels(small), small.flatten(1))
    assert neighbours.pixels(large).shape == (2, 3 * 32 * 32)
    corner = neighbours.pixels(large).reshape(2, 3, 32, 32)[:, :, 0, 0]
    np.testing.assert_allclose(corner, large[:, :, :2, :2].mean((2, 3)), rtol=1e-5)
