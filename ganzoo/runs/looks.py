"""What the doctor measures beside losses: samples, and how the discriminator ranks them.

Measurements use copies of networks and random numbers of their own, so that the bits of a run do
not depend on them.
"""

from __future__ import annotations

import copy
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

from ganzoo.data.catalog import find
from ganzoo.data.source import Source
from ganzoo.engine.draws import Draws
from ganzoo.engine.training import Training
from ganzoo.errors import GanzooError, SpecError
from ganzoo.hub import local
from ganzoo.metrics.feature_extractors import Extractor, pinned
from ganzoo.nn.interpreter import Evaluator
from ganzoo.plugins.host import default
from ganzoo.runs.samples import SHEET
from ganzoo.seed import key
from ganzoo.spec.draws import Image
from ganzoo.spec.losses.roles import Roles

SIDE = 16
"""Side in pixels to which pictures are averaged before they are compared."""
TWIN = 0.1
"""A sample nearer to another one than this share of the usual distance is a duplicate."""


LOOK, PIXEL = 15e-3, 0.8e-6
"""Seconds that a look takes beside what the networks compute, and those of a pixel of a sample
for what tells classes: 40 ms for a sheet of digits."""


class Looks:
    """Measures a training now and then.

    Args:
        data: the training data. name: of the data set, to find a classifier.
    """

    def __init__(self, training: Training, data: Source, name: str) -> None:
        self.training, self.data, self.name = training, data, name
        self.field = next(
            (d.field for d in training.spec.draws.values() if isinstance(d, Image)), ""
        )
        generator = torch.Generator().manual_seed(key(0, "looks"))
        length = data.length(self.field) if self.field else 0
        self.rows = torch.randperm(length, generator=generator)[:SHEET]
        self._real: Tensor | None = None
        self._extractor: Extractor | None = None
        self._known: frozenset[int] | None = None
        try:
            self.game: Roles | None = Roles.of(training.spec)
        except SpecError:
            self.game = None

    def see(self, images: Tensor) -> dict[str, Any]:
        """The entries of a log line on samples (n, c, h, w) in [0, 1], and on the ranking."""
        found: dict[str, Any] = {}
        if samples := self.samples(images.detach().float().cpu()):
            found["samples"] = samples
        if (separation := self.separation()) is not None:
            found["verdicts"] = {"separation": round(separation, 4)}
        return found

    @property
    def seconds(self) -> float:
        """About how long a look takes, beside what the networks of the training compute.

        It follows from the Spec and the name of the data, and not from what is installed.
        """
        images = [d for d in self.training.spec.draws.values() if isinstance(d, Image)]
        if not images or not _declared(self.name):
            return LOOK
        _, height, width = images[0].shape
        return LOOK + PIXEL * SHEET * height * width

    # ---------------------------------------------------------------------------- samples

    def samples(self, images: Tensor) -> dict[str, float]:
        real = self._images()
        if real is None or len(real) < 16 or real.shape[1:] != images.shape[1:]:
            return {}
        between, usual = spread_of(real)
        if usual < 1e-3:  # the data themselves are alike
            return {}
        ours, _ = spread_of(images)
        found = {
            "spread": round(ours / between, 4),
            "duplicates": round(twins(images, TWIN * usual), 4),
            "grain": round(grain(images) / max(grain(real), 1e-3), 4),
        }
        if (share := self._classes(real, images)) is not None:
            found["classes"] = round(share, 4)
        return found

    def _images(self) -> Tensor | None:
        if self._real is None and self.field:
            self._real = self.data.batch(self.field, self.rows).float().cpu().add(1).div(2)
        return self._real

    def _classes(self, real: Tensor, images: Tensor) -> float | None:
        """How many classes are found among samples, as a share of those among as many real images;
        None without a classifier."""
        if self._known is None:
            self._known = frozenset()
            self._extractor = _classifier(self.name)
            if self._extractor is not None:
                classes = self._extractor.classes(real)
                if classes is not None:
                    self._known = frozenset(classes.tolist())
        if self._extractor is None or len(self._known) < 4:
            return None
        seen = self._extractor.classes(images)
        return None if seen is None else min(1.0, len({*seen.tolist()}) / len(self._known))

    # --------------------------------------------------------------------------- verdicts

    def separation(self) -> float | None:
        """How often the discriminator ranks an image above a sample; 0.5 where it guesses.

        None if a Spec has no such pair of networks, or they need other inputs.
        """
        spec, game = self.training.spec, self.game
        if game is None or spec.state or self.training.world > 1:
            return None
        device = self.training.device
        networks = {  # in training mode, as during training
            name: copy.deepcopy(self.training.networks[name])
            for name in (game.generator, game.discriminator)
        }
        batch = max(2, min(SHEET, len(self.data)))
        draws = Draws(
            spec, self.training.data, batch=batch, seed=key(self.training.seed, "looks"),
            device=device,
        )  # fmt: skip
        generator = torch.Generator(device).manual_seed(key(self.training.seed, "looks"))

        def call(name: str, inputs: Sequence[Tensor], output: str | None) -> Tensor:
            return networks[name](*inputs, outputs=(output or "",))

        def noise(*shape: int) -> Tensor:
            return torch.rand(*shape, generator=generator, device=device)

        try:
            verdicts: list[Tensor] = []
            with torch.no_grad():
                for expression in (game.real, game.fake):
                    text = str(expression)
                    names = tuple(spec.draws_in(text))
                    values = dict(zip(names, draws(0, 0, names), strict=True))
                    made = Evaluator(spec, call, values, noise, whole=networks.__getitem__)(text)
                    verdicts.append(made.float().reshape(len(made), -1).mean(1).cpu())
        except GanzooError:  # an expression that needs more than is available here
            return None
        real, fake = verdicts
        above = (real[:, None] > fake[None]).float() + 0.5 * (real[:, None] == fake[None]).float()
        return float(above.mean())


def small(images: Tensor) -> Tensor:
    """Pictures as rows of few numbers, (n, d)."""
    height, width = (min(SIDE, side) for side in images.shape[2:])
    return F.adaptive_avg_pool2d(images, (height, width)).flatten(1)


def _distances(images: Tensor) -> Tensor:
    rows = small(images)
    # matrix products would find small distances between equal pictures
    return torch.cdist(rows, rows, compute_mode="donot_use_mm_for_euclid_dist")


def spread_of(images: Tensor) -> tuple[float, float]:
    """The mean distance of pictures to each other, and the median one to the nearest."""
    distances = _distances(images)
    n = len(images)
    nearest = distances.clone().fill_diagonal_(float("inf")).min(1).values
    return float(distances.sum() / (n * (n - 1))), float(nearest.median())


def twins(images: Tensor, near: float) -> float:
    """The share of pictures with another one nearer than `near`."""
    distances = _distances(images).fill_diagonal_(float("inf"))
    return float((distances.min(1).values < near).float().mean())


def grain(images: Tensor) -> float:
    """The mean difference of neighbouring pixels."""
    down, right = (float(images.diff(dim=axis).abs().mean()) for axis in (2, 3))
    return (down + right) / 2


def _declared(name: str) -> bool:
    """Whether a data set declares what tells its classes."""
    try:
        return bool(find(name, default().data).feature_extractors)
    except GanzooError:
        return False


def _classifier(name: str) -> Extractor | None:
    """The classifier of a data set, if it is installed; nothing is downloaded."""
    try:
        declared = find(name, default().data).feature_extractors
        if not declared or local.find(declared[0].name) is None:
            return None
        found = pinned(declared[0])
    except GanzooError:
        return None
    return found if "label" in found.fields else None
