"""Gradients averaged over all processes, in flat buckets.

Module wrappers such as DDP do not support the repeated forward passes of GANs, so the gradients of
an update are averaged explicitly, as in the StyleGAN authors' code. A few numbers are sent in one
bucket after the backward pass; where there are many, each bucket is sent as soon as the pass has
filled it, while the rest is still being computed. Loss terms are sent along.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor
from torch import distributed as dist

PIECE = 2**23
"""Bytes of gradients that are sent at once. Larger buckets wait longer for the backward pass,
smaller ones need more messages."""


class Buckets:
    """The gradients of one update.

    Args:
        parameters: the trained ones. terms: the most loss terms that it has.
        piece: bytes of one bucket.
    """

    def __init__(self, parameters: Sequence[Tensor], terms: int, piece: int = PIECE) -> None:
        self.parameters = [*parameters]
        groups: list[list[Tensor]] = [[]]
        held = 0
        # backward passes start with the last parameter
        for parameter in reversed(self.parameters):
            size = parameter.numel() * parameter.element_size()
            if groups[-1] and held + size > piece:
                groups.append([])
                held = 0
            groups[-1].append(parameter)
            held += size
        self._flat: list[Tensor] = []
        self._views: dict[Tensor, Tensor] = {}
        self._piece_of: dict[Tensor, int] = {}
        for number, group in enumerate(groups):
            last = number == len(groups) - 1
            total = sum(p.numel() for p in group) + (terms if last else 0)
            flat = self.parameters[0].new_zeros(total)
            position = 0
            for p in group:
                # with the strides of its weights, which optimizers require
                self._views[p] = flat[position : position + p.numel()].as_strided(
                    p.shape, p.stride(), flat.storage_offset() + position
                )
                self._piece_of[p] = number
                position += p.numel()
            self._flat.append(flat)
        self._terms = self._flat[-1][-terms:] if terms else self._flat[-1][:0]
        self._counts = [len(group) for group in groups]
        self._missing: list[int] = []
        self._sent: list[dist.Work] = []
        if len(self._flat) > 1:
            for p in self.parameters:
                p.register_post_accumulate_grad_hook(self._made)

    @property
    def pieces(self) -> int:
        return len(self._flat)

    def average(self, total: Tensor, terms: Sequence[Tensor], keep_graph: bool) -> Tensor:
        """Set the averaged gradients of `total`; returns the averages of its terms, (terms,).

        The next call overwrites their memory.
        """
        if self.pieces == 1:
            found = torch.autograd.grad(
                total, self.parameters, retain_graph=keep_graph, allow_unused=True
            )
            return self.exchange(found, terms)
        self._missing, self._sent = [*self._counts], []
        self._note(terms)
        torch.autograd.backward(total, inputs=self.parameters, retain_graph=keep_graph)
        return self._finish(len(terms))

    def exchange(self, gradients: Sequence[Tensor | None], terms: Sequence[Tensor]) -> Tensor:
        """As `average`, for gradients that have already been computed."""
        self._sent = []
        self._note(terms)
        for parameter, gradient in zip(self.parameters, gradients, strict=True):
            if gradient is not None:
                parameter.grad = self._views[parameter].copy_(gradient)
        return self._finish(len(terms))

    def _note(self, terms: Sequence[Tensor]) -> None:
        for place, term in zip(self._terms, terms, strict=False):
            place.copy_(term.detach())

    def _finish(self, terms: int) -> Tensor:
        self._send(everything=True)
        for work in self._sent:
            work.wait()
        for flat in self._flat:
            flat /= dist.get_world_size()
        self._missing = []
        return self._terms[:terms]

    def _made(self, parameter: Tensor) -> None:
        """Called by autograd when the gradient of a parameter is ready."""
        if not self._missing or parameter.grad is None:
            return  # another backward pass
        parameter.grad = self._views[parameter].copy_(parameter.grad)
        self._missing[self._piece_of[parameter]] -= 1
        self._send()

    def _send(self, everything: bool = False) -> None:
        """Send the buckets that are complete, in the same order in all processes."""
        while len(self._sent) < self.pieces and (everything or not self._missing[len(self._sent)]):
            work = dist.all_reduce(self._flat[len(self._sent)], async_op=True)
            assert work is not None
            self._sent.append(work)
