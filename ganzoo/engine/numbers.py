"""Numbers that follow the run (learning rates, weights of averages), as tensors that stay in place.

A host computes them in double precision before a round, and the round reads them from tensors:
what a CUDA graph has recorded reads the same memory at every replay.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import torch
from torch import Tensor


class Numbers:
    """Numbers by name, all in one piece of memory, so that one copy brings them to the device.

    On the CPU they are double, since optimizers there compute with the doubles that they are
    given; on other devices float, which their kernels read.
    """

    def __init__(self, names: Iterable[str], device: torch.device) -> None:
        self.names = tuple(names)
        self.exact = torch.float64 if device.type == "cpu" else torch.float32
        self._memory = torch.zeros(len(self.names), dtype=self.exact, device=device)
        self._views = dict(zip(self.names, self._memory.unbind(), strict=True))
        self._written: list[float] = []

    def __getitem__(self, name: str) -> Tensor:
        """The tensor of one number, without axes; the same one as long as the run lasts."""
        return self._views[name]

    def write(self, values: Mapping[str, float]) -> None:
        """Set all numbers; what `values` does not name stays as it was."""
        before = self._written or [0.0] * len(self.names)
        now = [values.get(name, old) for name, old in zip(self.names, before, strict=True)]
        if now != self._written:
            self._written = now
            # from memory that is not pinned a copy is staged at once, so nothing need be kept,
            # and the host does not wait for the device
            self._memory.copy_(torch.tensor(now, dtype=self.exact), non_blocking=True)
