"""The states of a Spec during training: tensors at fixed addresses that change after a round."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

from ganzoo.nn.processes import everyones_mean, gathered
from ganzoo.spec.spec import Spec


class Memory:
    """The values of a Spec's states. All processes have the same.

    Args:
        reads: shapes of the values that each state reads, by field, without the batch axis.
        share: the rows of the global batch that belong to this process.
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
        """The value of a state in an expression, given the values that it reads."""
        state = self.spec.state[name]
        with torch.no_grad():
            found = state.value(self.held[name], **self._everyones(name, values))
        return found[self.share] if values and self.world > 1 else found

    def remember(self, name: str, **values: Tensor) -> None:
        """Record the inputs of a state for the next round; it changes at `step`.

        With a batch in parts it is called several times: samples are concatenated, numbers
        averaged.
        """
        self._told.setdefault(name, []).append(
            {key: value.detach() for key, value in values.items()}
        )

    def step(self) -> None:
        """Update all states with recorded inputs, each from the old values of all."""
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
        """Samples of all processes together, where a state needs samples."""
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
        """The current states that are single numbers; waits for the device."""
        return {
            name: float(self.held[name]["value"])
            for name, state in self.spec.state.items()
            if state.is_number
        }

    def tensors(self) -> dict[str, Tensor]:
        """The tensors of a checkpoint, by `state/word`."""
        return {
            f"{name}/{word}": value
            for name, held in self.held.items()
            for word, value in held.items()
        }
