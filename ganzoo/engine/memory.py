"""The states of a Spec, as the run goes: tensors that stay in place and change after a round."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

from ganzoo.nn.processes import everyones_mean, gathered
from ganzoo.spec.spec import Spec


class Memory:
    """What the states of a Spec hold. On several processes all hold the same.

    Args:
        reads: the shapes of what each state is read from, by field, without the batch.
        share: the rows of the global batch that are this process's.
    """

    def __init__(
        self,
        spec: Spec,
        reads: Mapping[str, Mapping[str, tuple[int, ...]]],
        device: torch.device,
        *,
        world: int = 1,
        share: slice = slice(None),
    ) -> None:
        self.spec, self.world, self.share = spec, world, share
        self.held = {
            name: {
                word: value.to(device) for word, value in state.tensors(reads.get(name, {})).items()
            }
            for name, state in spec.state.items()
        }
        self._told: dict[str, list[Mapping[str, Tensor]]] = {}

    def recall(self, name: str, **values: Tensor) -> Tensor:
        """What a state means, of the values that it is read from."""
        state = self.spec.state[name]
        with torch.no_grad():
            found = state.value(self.held[name], **self._everyones(name, values))
        return found[self.share] if values and self.world > 1 else found

    def remember(self, name: str, **values: Tensor) -> None:
        """What a state is made from for the next round; it changes at `step`.

        Told several times, of parts of a batch: samples are put together, of numbers the mean
        is taken.
        """
        self._told.setdefault(name, []).append(
            {key: value.detach() for key, value in values.items()}
        )

    def step(self) -> None:
        """Let all states change that were told of, each from what all were before."""
        told, self._told = self._told, {}
        with torch.no_grad():
            after = {
                name: self.spec.state[name].after(
                    self.held[name], **self._everyones(name, self._joined(name, parts))
                )
                for name, parts in told.items()
            }
            for name, tensors in after.items():
                for word, value in tensors.items():
                    self.held[name][word].copy_(value)

    def _joined(self, name: str, parts: list[Mapping[str, Tensor]]) -> Mapping[str, Tensor]:
        if len(parts) == 1:
            return parts[0]
        samples = self._samples(name)
        return {
            key: torch.cat([part[key] for part in parts])
            if key in samples
            else torch.stack([part[key] for part in parts]).mean(0)
            for key in parts[0]
        }

    def everywhere(self, value: Tensor) -> Tensor:
        """The mean of a value over all processes."""
        return everyones_mean(value) if self.world > 1 else value

    def _everyones(self, name: str, values: Mapping[str, Tensor]) -> Mapping[str, Tensor]:
        """Samples of all processes together, where a state is of samples."""
        of_samples = self._samples(name)
        return {
            key: gathered(value.detach())
            if self.world > 1 and key in of_samples
            else value.detach()
            for key, value in values.items()
        }

    def _samples(self, name: str) -> set[str]:
        """Which of its values have a row for each sample."""
        state = self.spec.state[name]
        return {key for key, kind in state.texts.items() if kind == "read"} | {*state.noise}

    def published(self, name: str) -> Tensor:
        """The value of a state that a task reads."""
        return self.recall(name).detach().clone()

    def numbers(self) -> dict[str, float]:
        """The states that are one number each, as they stand; waits for the device."""
        return {
            name: float(self.held[name]["value"])
            for name, state in self.spec.state.items()
            if state.is_number
        }

    def tensors(self) -> dict[str, Tensor]:
        """What a checkpoint holds, by `state/word`."""
        return {
            f"{name}/{word}": value
            for name, held in self.held.items()
            for word, value in held.items()
        }
