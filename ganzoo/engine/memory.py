"""The states of a Spec, as the run goes: tensors that stay in place and change after a round."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

from ganzoo.engine import distribution
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
        self._told: dict[str, Mapping[str, Tensor]] = {}

    def recall(self, name: str, **values: Tensor) -> Tensor:
        """What a state means, of the values that it is read from."""
        state = self.spec.state[name]
        with torch.no_grad():
            found = state.value(self.held[name], **self._everyones(name, values))
        return found[self.share] if values and self.world > 1 else found

    def remember(self, name: str, **values: Tensor) -> None:
        """What a state is made from for the next round; it changes at `step`."""
        with torch.no_grad():
            self._told[name] = self.spec.state[name].after(
                self.held[name], **self._everyones(name, values)
            )

    def step(self) -> None:
        """Let all states change that were told of, each from what all were before."""
        with torch.no_grad():
            for name, tensors in self._told.items():
                for word, value in tensors.items():
                    self.held[name][word].copy_(value)
        self._told = {}

    def everywhere(self, value: Tensor) -> Tensor:
        """The mean of a value over all processes."""
        return distribution.mean(value) if self.world > 1 else value

    def _everyones(self, name: str, values: Mapping[str, Tensor]) -> Mapping[str, Tensor]:
        """Samples of all processes together, where a state is of samples."""
        state = self.spec.state[name]
        of_samples = {key for key, kind in state.texts.items() if kind == "read"}
        of_samples |= set(state.noise)
        return {
            key: distribution.together(value)
            if self.world > 1 and key in of_samples
            else value.detach()
            for key, value in values.items()
        }

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
