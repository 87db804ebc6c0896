"""The draws of a run: each a function of (seed, step, name), and not of what ran before.

A resumed run draws what the run that was not killed would have drawn, and several
processes draw together the global batch that one would have drawn alone.
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

from ganzoo.data.source import Source
from ganzoo.errors import DataError, choices
from ganzoo.seed import key
from ganzoo.spec.draws import DATA, Image, Normal, Uniform
from ganzoo.spec.spec import Spec


class Draws:
    """The draws of a Spec, batch by batch.

    Args:
        batch: samples of the global batch. rank, world: this process takes its share of it.
        versions: how many batches of each draw one step uses at most.
    """

    def __init__(
        self,
        spec: Spec,
        source: Source | None,
        *,
        batch: int,
        seed: int,
        device: torch.device,
        versions: int = 1,
        rank: int = 0,
        world: int = 1,
    ) -> None:
        if batch % world:
            raise DataError(f"a batch of {batch} cannot be shared by {world} processes evenly")
        self.spec, self.source, self.seed, self.device = spec, source, seed, device
        self.batch, self.versions = batch, versions
        self.share = slice(rank * batch // world, (rank + 1) * batch // world)
        self.generator = torch.Generator(device)
        self.shuffler = torch.Generator("cpu")
        self._orders: dict[str, tuple[int, Tensor]] = {}
        self._indices: dict[str, tuple[int, Tensor]] = {}
        if source is not None:
            self._check(source)

    def _check(self, source: Source) -> None:
        for name, draw in self.spec.data_draws().items():
            found = source.fields.fields.get(draw.field)
            if found is None:
                raise DataError(
                    f"draw {name!r} needs the field {draw.field!r}, and data set {source.name!r} "
                    f"has {choices(source.fields.fields)}"
                )
            ours, theirs = (_essence(value) for value in (draw, found))
            if ours != theirs:
                raise DataError(
                    f"draw {name!r} is {ours}, and field {draw.field!r} of data set "
                    f"{source.name!r} is {theirs}; make the Spec for this data set"
                )

    def __call__(self, step: int, version: int, names: tuple[str, ...]) -> list[Tensor]:
        """One batch of each named draw: version `version` of step `step`."""
        return [self._one(step, version, name) for name in names]

    def _one(self, step: int, version: int, name: str) -> Tensor:
        draw = self.spec.draws.get(name)
        if isinstance(draw, DATA):
            return self._data(step, version, name, draw)
        self.generator.manual_seed(key(self.seed, step, version, name))
        match draw:
            case Normal(size=size):
                noise = torch.randn(self.batch, size, generator=self.generator, device=self.device)
            case Uniform(size=size, low=low, high=high):
                noise = torch.rand(self.batch, size, generator=self.generator, device=self.device)
                noise = noise.mul_(high - low).add_(low)
            case _:  # the noise of a function: one number in [0, 1) a sample
                noise = torch.rand(self.batch, generator=self.generator, device=self.device)
        return noise[self.share]

    def _data(self, step: int, version: int, name: str, draw: object) -> Tensor:
        assert self.source is not None and isinstance(draw, DATA)
        group = draw.field if draw.independent else ""
        position = step * self.versions + version
        index = self._index(group, draw.field, position)
        flip = None
        if self.source.flips and isinstance(draw, Image):
            self.shuffler.manual_seed(key(self.seed, step, version, group, "flip"))
            flip = (torch.rand(self.batch, generator=self.shuffler) < 0.5)[self.share]
        return self.source.batch(draw.field, index, flip)

    def _index(self, group: str, field: str, position: int) -> Tensor:
        """Which samples batch number `position` has: each pass over the data in a new order."""
        assert self.source is not None
        kept = self._indices.get(group)
        if kept and kept[0] == position:
            return kept[1]
        length = self.source.length(field)
        first = position * self.batch
        wanted = torch.arange(first, first + self.batch)[self.share]
        index = torch.empty_like(wanted)
        for epoch in range(int(wanted[0]) // length, int(wanted[-1]) // length + 1):
            here = wanted // length == epoch
            index[here] = self._order(group, epoch, length)[wanted[here] % length]
        self._indices[group] = (position, index)
        return index

    def _order(self, group: str, epoch: int, length: int) -> Tensor:
        kept = self._orders.get(group)
        if not kept or kept[0] != epoch:
            self.shuffler.manual_seed(key(self.seed, "order", group, epoch))
            kept = (epoch, torch.randperm(length, generator=self.shuffler))
            self._orders[group] = kept
        return kept[1]


def _essence(draw: object) -> Mapping[str, object]:
    """What must agree between a draw and the data: kind and sizes."""
    assert isinstance(draw, DATA)
    keep = {"kind", "shape", "classes", "size", "encoder"}
    return {name: value for name, value in draw.model_dump().items() if name in keep}
