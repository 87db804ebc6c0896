"""The draws of a run: each is a function of (seed, step, name) alone.

So a resumed run draws what an uninterrupted one would have drawn, and several processes together
draw the global batch that one process would have drawn.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import torch
from torch import Tensor

from ganzoo.data.ahead import Ahead
from ganzoo.data.source import Source
from ganzoo.errors import DataError, choices
from ganzoo.nn.functions.distributions import truncate
from ganzoo.seed import key
from ganzoo.spec import vocabulary
from ganzoo.spec.draws import DATA, Categorical, Image, Index, Label, Normal, Uniform, tensor_shape
from ganzoo.spec.spec import Spec
from ganzoo.spec.variant import Fields


class Draws:
    """The draws of a Spec, batch by batch.

    Args:
        batch: samples of the global batch. rank, world: this process takes its share of it.
        versions: the most batches of each draw that one step uses.
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
        self.batch, self.versions, self.rank, self.world = batch, versions, rank, world
        self.share = slice(rank * batch // world, (rank + 1) * batch // world)
        self.generator = torch.Generator(device)
        self.shuffler = torch.Generator("cpu")
        self.ahead: Ahead | None = None
        self._orders: dict[str, tuple[int, Tensor]] = {}
        self._indices: dict[str, tuple[int, Tensor]] = {}
        if source is not None:
            check_fields(spec, source.fields)
        for name, draw in spec.draws.items():
            if isinstance(draw, Index):
                _check_index(name, draw, source)

    def __call__(self, step: int, version: int, names: tuple[str, ...]) -> list[Tensor]:
        """One batch of each named draw: version `version` of step `step`."""
        return [self.batch_of(name, self.raw(step, version, name)) for name in names]

    def raw(
        self, step: int, version: int, name: str, into: tuple[Tensor, ...] = ()
    ) -> tuple[Tensor, ...]:
        """The inputs of a batch that come from the host: rows of the data, mirroring, noise.

        Args:
            into: tensors of an earlier call, into which noise is drawn; others are new.
        """
        draw = self.spec.draws.get(name)
        if isinstance(draw, DATA):
            if self.ahead is not None and self._is_mapped(draw):
                return self.ahead.take(step, version, name)
            return self._rows(step, version, draw)
        if isinstance(draw, Index):
            assert self.source is not None
            return (self._index("", len(self.source), step * self.versions + version),)
        self.generator.manual_seed(key(self.seed, step, version, name))
        shape = (self.batch, *(tensor_shape(draw) if draw else noise_width(name)))
        whole = len(into) == 1 and into[0].shape == shape
        chance = torch.randn if isinstance(draw, Normal) else torch.rand
        noise = chance(
            shape, generator=self.generator, device=self.device, out=into[0] if whole else None
        )
        return (noise if whole else noise[self.share],)

    def read_ahead(self) -> None:
        """Let a thread read memory-mapped data before `raw` asks for it."""
        source = self.source
        if source is None or not any(map(self._is_mapped, self.spec.data_draws().values())):
            return
        # its own, as orders and generators must not be shared by threads
        reader = Draws(
            self.spec, source, batch=self.batch, seed=self.seed, device=self.device,
            versions=self.versions, rank=self.rank, world=self.world,
        )  # fmt: skip
        pinned = self.device.type == "cuda"

        def read(step: int, version: int, name: str) -> tuple[Tensor, ...]:
            rows = reader.raw(step, version, name)
            return tuple(part.pin_memory() for part in rows) if pinned else rows

        self.ahead = Ahead(read)

    def mapped(self, wanted: Iterable[tuple[int, str]]) -> list[tuple[int, str]]:
        """The draws whose data are memory-mapped."""
        draws = self.spec.draws
        return [(version, name) for version, name in wanted if self._is_mapped(draws.get(name))]

    def _is_mapped(self, draw: object) -> bool:
        return (
            isinstance(draw, DATA) and self.source is not None and self.source.is_mapped(draw.field)
        )

    def batch_of(self, name: str, raw: tuple[Tensor, ...]) -> Tensor:
        """The batch of a draw, from the result of `raw`; computed on the device."""
        draw = self.spec.draws.get(name)
        if isinstance(draw, DATA):
            assert self.source is not None
            return self.source.made(draw.field, *raw)
        match draw:
            case Uniform():
                return raw[0].mul(draw.high - draw.low).add_(draw.low)
            case Index():
                return raw[0].to(self.device, non_blocking=True)
            case Categorical():
                return raw[0].mul(draw.classes).long()
            case Normal(truncation=limit) if limit is not None:
                return truncate(raw[0], limit)
            case _:
                return raw[0]

    def _rows(self, step: int, version: int, draw: Any) -> tuple[Tensor, ...]:
        assert self.source is not None
        group = draw.field if draw.independent else ""
        index = self._index(group, self.source.length(draw.field), step * self.versions + version)
        rows = self.source.rows(draw.field, index)
        if not (self.source.flips and isinstance(draw, Image)):
            return (rows,)
        self.shuffler.manual_seed(key(self.seed, step, version, group, "flip"))
        return rows, (torch.rand(self.batch, generator=self.shuffler) < 0.5)[self.share]

    def _index(self, group: str, length: int, position: int) -> Tensor:
        """The samples of batch number `position` of `length`: each pass has a new order."""
        kept = self._indices.get(group)
        if kept and kept[0] == position:
            return kept[1]
        first = position * self.batch
        epoch, start = divmod(first, length)
        if start + self.batch <= length:
            index = self._order(group, epoch, length)[start : start + self.batch][self.share]
            self._indices[group] = (position, index)
            return index
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


def noise_width(name: str) -> tuple[int, ...]:
    """How many uniform numbers the noise of a function has for each sample, as `ada(x, p).chance`.

    The noise of states has one.
    """
    function = vocabulary.function(name.partition("(")[0]) if "(" in name else None
    width = function.draws.get(name.rpartition(".")[2], 0) if function else 0
    return (width,) if width else ()


def _check_index(name: str, draw: Index, source: Source | None) -> None:
    """DataError where there are no samples to count, or more than the Spec says."""
    if source is None or not any(not field.independent for field in source.fields.fields.values()):
        raise DataError(f"draw {name!r} counts the samples of the data, and there are none")
    if len(source) > draw.samples:
        raise DataError(
            f"draw {name!r} is one of {draw.samples:,} samples, and data set "
            f"{source.name!r} has {len(source):,} to train on; write samples: {len(source)}, and "
            "as many classes where the index is embedded"
        )


def check_fields(spec: Spec, data: Fields) -> None:
    """Check that the fields of data are what a Spec draws; DataError if not."""
    paired: dict[str, tuple[str, bool]] = {}
    for name, draw in spec.data_draws().items():
        found = data.fields.get(draw.field)
        if found is None:
            raise DataError(
                f"draw {name!r} needs the field {draw.field!r}, and data set {data.name!r} "
                f"has {choices(data.fields)}"
            )
        ours, theirs = (_essence(value) for value in (draw, found))
        if ours != theirs:
            raise DataError(
                f"draw {name!r} is {ours}, and field {draw.field!r} of data set "
                f"{data.name!r} is {theirs}; make the Spec for this data set"
            )
        if not draw.independent:
            paired.setdefault(draw.field, (name, found.independent))
    alone = [name for name, independent in paired.values() if independent]
    if alone and len(paired) > 1:  # a single field has no partner
        names = " and ".join(repr(name) for name, _ in paired.values())
        raise DataError(
            f"the draws {names} are paired in this Spec, row by row, and data set {data.name!r} "
            f"has no partners for {alone[0]!r}: give the draws `independent: true`, or data of "
            "pairs"
        )


def check_names(spec: Spec, data: Fields) -> None:
    """Check that the classes that a Spec names have these names in the data; DataError if not."""
    for name, draw in spec.draws.items():
        found = data.fields.get(draw.field) if isinstance(draw, Label) else None
        if not isinstance(draw, Label) or not isinstance(found, Label):
            continue
        if draw.names and found.names and draw.names != found.names:
            ours, theirs = (", ".join(label.names[:20]) for label in (draw, found))
            raise DataError(
                f"draws.{name}.names: {ours}; the classes of field {draw.field!r} of data set "
                f"{data.name!r} are, in this order, {theirs}. Leave names out to take these"
            )


def with_names(spec: Spec, data: Fields) -> Spec:
    """The Spec with the data's names of the classes that it does not name itself."""
    named = {
        name: draw.replace(names=found.names)
        for name, draw in spec.draws.items()
        if isinstance(draw, Label) and not draw.names
        and isinstance(found := data.fields.get(draw.field), Label)
        and len(found.names) == draw.classes
    }  # fmt: skip
    return spec.replace(draws={**spec.draws, **named}) if named else spec


def _essence(draw: object) -> Mapping[str, object]:
    """The kind and sizes that a draw and a field of the data must share."""
    assert isinstance(draw, DATA)
    keep = {"kind", "shape", "classes", "size", "encoder"}
    return {name: value for name, value in draw.model_dump().items() if name in keep}
