"""CUDA graphs: a round is recorded once and then replayed.

A round that reads and writes tensors with fixed addresses can be recorded as one CUDA graph, whose
replay costs one launch instead of hundreds. It is first run a few times on a side stream, because
libraries allocate memory and choose kernels in their first calls, and everything that these runs
changed is restored. So every round that counts is a replay, and a resumed run, which records again,
computes the same bits.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager

import torch
from torch import Tensor, nn
from torch.utils.hooks import RemovableHandle

REHEARSALS = 3
"""Rounds before recording: libraries initialize in the first, the last is checked for waiting."""

Compute = Callable[[], Tensor]
State = Callable[[], Mapping[str, Tensor]]


class NotRecordableError(Exception):
    """The round cannot be recorded; `where` is the layer at fault, or what was being computed."""

    def __init__(self, where: str, why: str) -> None:
        super().__init__(f"{where} cannot be recorded in a CUDA graph: {why}")
        self.where, self.why = where, why


class Recorder:
    """Records rounds as CUDA graphs that share one memory pool.

    Graphs of one pool must not run at the same time, and the outputs of one are valid until
    another is replayed.
    """

    def __init__(self, device: torch.device) -> None:
        self.device = device
        self.pool = torch.cuda.graph_pool_handle()
        self.stream = torch.cuda.Stream(device)

    def record(
        self, compute: Compute, state: State, networks: Mapping[str, nn.Module]
    ) -> Callable[[], Tensor]:
        """A function that has the effect of `compute`, by one replay.

        Args:
            compute: a round, which returns its loss terms.
            state: returns all tensors that the round changes.
            networks: their layers are named where recording fails.

        Raises:
            NotRecordableError: it cannot be recorded; all state is as before.
        """
        with torch.cuda.device(self.device):
            return self._record(compute, state, networks)

    def _record(
        self, compute: Compute, state: State, networks: Mapping[str, nn.Module]
    ) -> Callable[[], Tensor]:
        current = torch.cuda.current_stream(self.device)
        self.stream.wait_stream(current)
        try:
            with torch.cuda.stream(self.stream):
                rehearse(lambda: self._rehearsals(compute, networks), state)
        finally:
            current.wait_stream(self.stream)
        graph = torch.cuda.CUDAGraph()
        try:
            # other threads (a demo, a prefetcher) may use the device meanwhile
            with (
                named(networks, "a round"),
                torch.cuda.graph(
                    graph, pool=self.pool, stream=self.stream, capture_error_mode="thread_local"
                ),
            ):
                terms = compute()
        except NotRecordableError:
            torch.cuda.set_stream(current)  # a failed recording does not restore it
            raise

        def replay() -> Tensor:
            graph.replay()
            return terms

        return replay

    def _rehearsals(self, compute: Compute, networks: Mapping[str, nn.Module]) -> None:
        for _ in range(REHEARSALS - 1):
            compute()
        # a synchronization would break the recording, and the error that CUDA then raises names
        # no layer and leaves the recording half open
        before = torch.cuda.get_sync_debug_mode()
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", message=".*[Ss]ynchronization debug mode.*")
            torch.cuda.set_sync_debug_mode("error")
        try:
            with named(networks, "a round"):
                compute()
        finally:
            torch.cuda.set_sync_debug_mode(before)


def rehearse(compute: Callable[[], object], state: State) -> None:
    """Call `compute`, then restore everything that it changed.

    Tensors that are new in the state (optimizers allocate theirs in their first step) stay,
    filled with zeros, which is their initial value.
    """
    before = {name: value.clone() for name, value in state().items()}
    try:
        compute()
    finally:
        with torch.no_grad():
            for name, value in state().items():
                if name in before:
                    value.copy_(before[name])
                else:
                    value.zero_()


@contextmanager
def named(networks: Mapping[str, nn.Module], otherwise: str) -> Iterator[None]:
    """Turns errors into NotRecordableError, with the layer in which they happened."""
    within: list[str] = []
    hooks: list[RemovableHandle] = []
    for name, net in networks.items():
        for path, module in net.named_modules():
            where = f"{name}.{path} ({type(module).__name__})" if path else name
            hooks.append(module.register_forward_pre_hook(lambda *_, w=where: within.append(w)))
            hooks.append(module.register_forward_hook(lambda *_: within.pop() and None))
    try:
        yield
    except RuntimeError as error:
        where = within[-1] if within else otherwise
        raise NotRecordableError(where, str(error).split("\n")[0]) from error
    finally:
        for hook in hooks:
            hook.remove()
