"""Numbers that follow the run (learning rates, weights of averages), as tensors at fixed addresses.

The host computes them in double precision before a round, and the round reads them from tensors,
so that a recorded CUDA graph sees the new values at every replay.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import torch
from torch import Tensor


class Numbers:
    """Numbers by name, in one block of memory, so that one copy brings them to the device.

    On the CPU they are double, since its optimizers compute with the doubles that they are given;
    on other devices float, which their kernels read.
    """

    def __init__(self, names: Iterable[str], device: torch.device) -> None:
        self.names = tuple(names)
        self.exact = torch.float64 if device.type == "cpu" else torch.float32
        self._memory = torch.zeros(len(self.names), dtype=self.exact, device=device)
        self._views = dict(zip(self.names, self._memory.unbind(), strict=True))
        self._written: list[float] = []

    def __getitem__(self, name: str) -> Tensor:
        """The tensor of one number, 0-dim; the same one throughout the run."""
        return self._views[name]

    def write(self, values: Mapping[str, float]) -> None:
        """Set all numbers; those that `values` does not name keep their values."""
        before = self._written or [0.0] * len(self.names)
        now = [values.get(name, old) for name, old in zip(self.names, before, strict=True)]
        if now != self._written:
            self._written = now
            # a copy from memory that is not pinned is staged at once: nothing has to be kept alive,
            # and the host does not wait for the device
            self._memory.copy_(torch.tensor(now, dtype=self.exact), non_blocking=True)
