"""Drawn squares, what looks at them, and a model that paints them: for metrics of content."""

from __future__ import annotations

import numpy as np
import torch

from ganzoo.metrics.evaluation import untrained
from ganzoo.models.model import Model
from ganzoo.spec import Fields, Image, Label, Spec, Text

SIDE = 16
COLOURS = 3
FIELDS = Fields(
    {
        "image": Image((3, SIDE, SIDE)),
        "text": Text(4, "none"),
        "label": Label(2),
        "colour": Label(COLOURS, field="colour"),
    },
    "squares",
)


def squares(split: str, n: int = 240) -> dict[str, np.ndarray]:
    """Squares on the left or on the right, of three colours; the text says which."""
    random = np.random.default_rng(len(split))
    label, colour = random.integers(0, 2, n), random.integers(0, COLOURS, n)
    images = random.integers(0, 40, (n, 3, SIDE, SIDE)).astype(np.uint8)
    for row in range(n):
        left = 8 * label[row]
        images[row, colour[row], 4:12, left : left + 8] = 220
    text = np.zeros((n, 4), np.float32)
    text[:, 0] = label
    text[np.arange(n), 1 + colour] = 1
    return {"image": images, "text": text, "label": label, "colour": colour}


class Eye:
    """An extractor that looks where the square is, and at its colour."""

    name, sha256, fields = "eye", "ab", ("label", "colour")

    def features(self, images: torch.Tensor) -> np.ndarray:
        return images.mean((2, 3)).numpy()

    def classes(self, images: torch.Tensor, field: str = "label") -> np.ndarray | None:
        if field == "label":
            halves = torch.stack([part.sum((1, 2, 3)) for part in images.chunk(2, dim=3)], 1)
            return halves.argmax(1).numpy()
        return images.sum((2, 3)).argmax(1).numpy() if field == "colour" else None


def painter() -> Model:
    """It paints left and right as told by the first number of the text, and red always."""
    spec = {
        "draws": {
            "x": {"kind": "image", "shape": [3, SIDE, SIDE]},
            "t": {"kind": "text", "size": 4, "encoder": "none"},
            "z": {"kind": "normal", "size": 4},
        },
        "networks": {
            "G": {
                "inputs": {"t": [], "z": []},
                "layers": [
                    {"kind": "linear", "units": 3 * SIDE * SIDE},
                    {"kind": "reshape", "shape": [3, SIDE, SIDE]},
                ],
            },
            "D": {
                "inputs": {"x": [{"kind": "linear", "units": 1, "bias": False}], "t": []},
                "layers": [{"kind": "linear", "units": 1, "bias": False}],
            },
        },
        "let": {"fake": "G(t, z)"},
        "round": [
            {"train": ["D"], "minimize": {"a": "bce(D(x, t), 1)"}},
            {"train": ["G"], "minimize": {"a": "bce(D(fake, t), 1)"}},
        ],
        "tasks": {
            "generate": "fake",
            "stage1": {"kind": "generate", "output": "resize(fake, 8)"},
            "mismatch": {"kind": "score", "output": "-D(x, t)"},
        },
    }
    model = untrained(Model(Spec.from_dict(spec), {}))
    left = torch.zeros(3, SIDE, SIDE)
    left[0, :, :8] = 1
    right = left.flip(2)
    weight = torch.zeros(3 * SIDE * SIDE, 8)
    weight[:, 0] = (right - left).flatten()
    weight[:, 4:] = 0.01 * torch.randn(3 * SIDE * SIDE, 4)
    state = model.networks["G"].state_dict()
    for key, value in state.items():
        value.copy_(weight if key.endswith("weight") else (left - 0.5).flatten())
    # brighter on the right than on the left, times what the text says of it
    return model


def drawings(n: int, shaded: bool, seed: int = 0) -> torch.Tensor:
    """Squares of random colours on white, flat or with a gradient."""
    generator = torch.Generator().manual_seed(seed)
    images = torch.ones(n, 3, 16, 16)
    colours = torch.rand(n, 3, 1, 1, generator=generator) * 0.6
    ramp = torch.linspace(0, 0.35, 8).view(1, 1, 1, 8) if shaded else torch.zeros(1, 1, 1, 8)
    images[:, :, 4:12, 4:12] = colours + ramp
    return images.mul(255).round().div(255)
