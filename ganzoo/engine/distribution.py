"""Several processes: rank and world, work of one process for all, and joint decisions.

Started by torchrun, each process takes its share of the global batch (`draws`), computes its part
of what one process would compute (`ganzoo.nn.processes`), and averages gradients with the others
(`buckets`), so that all have the same weights, averages and states after each round.
"""

from __future__ import annotations

import atexit
import os
import time
from collections.abc import Callable
from typing import Any, TypeVar, cast

import torch
from torch import distributed as dist
from torch.distributed.rendezvous import rendezvous

from ganzoo.errors import ElsewhereError, GanzooError

Found = TypeVar("Found")


def processes() -> int:
    """The number of processes, as torchrun says."""
    return int(os.environ.get("WORLD_SIZE", "1")) if dist.is_available() else 1


def rank() -> int:
    """The rank of this process; process 0 writes files and messages."""
    return int(os.environ.get("RANK", "0")) if processes() > 1 else 0


def may_be_restarted() -> bool:
    """Whether torchrun restarts all processes when one fails or their number changes
    (`--max-restarts`), so that a run which has begun is to be resumed."""
    return processes() > 1 and int(os.environ.get("TORCHELASTIC_MAX_RESTARTS", "0")) > 0


def join_group() -> tuple[int, int]:
    """(rank, world) of this process; joins the group if torchrun started it."""
    if processes() == 1:
        return 0, 1
    if not dist.is_initialized():
        both = torch.cuda.is_available() and dist.is_nccl_available()
        if both:
            # `cuda` then means the device of this process
            local = int(os.environ.get("LOCAL_RANK", "0"))
            torch.cuda.set_device(local % torch.cuda.device_count())
        backend = "cpu:gloo,cuda:nccl" if both else "gloo"
        store, number, world = next(iter(rendezvous("env://")))
        # after a restart, torchrun's store still has the addresses of the old processes
        attempt = os.environ.get("TORCHELASTIC_RESTART_COUNT", "0")
        store = dist.distributed_c10d.PrefixStore(f"ganzoo/{attempt}/{world}", store)
        dist.init_process_group(backend, store=store, rank=number, world_size=world)
        atexit.register(_leave)
    return dist.get_rank(), dist.get_world_size()


def _leave() -> None:
    if dist.is_initialized():
        dist.destroy_process_group()


def told(work: Callable[[], Found]) -> Found:
    """Run `work` in process 0 alone, and return its result in all.

    Raises:
        GanzooError: raised by `work`; in the other processes an ElsewhereError.
    """
    if processes() == 1:
        return work()
    if join_group()[0]:
        answer = _broadcast(None)
        if answer[0] == "failed":
            raise ElsewhereError(f"process 0 failed: {answer[1]}")
        return cast("Found", answer[1])
    try:
        found = work()
    except BaseException as error:
        text = str(error) if isinstance(error, GanzooError) else repr(error)
        _broadcast(("failed", text))
        raise
    _broadcast(("found", found))
    return found


def first_here(work: Callable[[], Found]) -> Found:
    """Run `work` in all processes, in the first one of each machine before the others.

    So files that it makes (downloads, decoded pictures) are made once and found by the rest.
    """
    if processes() == 1:
        return work()
    join_group()
    first = int(os.environ.get("LOCAL_RANK", os.environ.get("RANK", "0"))) == 0
    found: list[Found] = []
    failure: BaseException | None = None
    if first:
        try:
            found.append(work())
        except BaseException as error:
            failure = error
    failed = torch.tensor(int(failure is not None))
    dist.all_reduce(failed, dist.ReduceOp.MAX)
    if failure is not None:
        raise failure
    if failed.item():
        raise ElsewhereError("another process could not get the data")
    return found[0] if found else work()


def attempted(work: Callable[[], Found]) -> tuple[Found | None, Exception | None]:
    """The result of `work`, or its error, to be exchanged; with a single process, it is raised."""
    if processes() == 1:
        return work(), None
    try:
        return work(), None
    except Exception as error:  # the others wait for a result
        return None, error if isinstance(error, GanzooError) else RuntimeError(repr(error))


def answered(attempt: tuple[Found | None, Exception | None]) -> Found:
    """The result, or the error raised."""
    found, error = attempt
    if error is not None:
        raise error
    return cast("Found", found)


def exchanged(mine: dict[int, Any]) -> dict[int, Any]:
    """The parts of all processes, by their numbers, in each process."""
    if processes() == 1:
        return mine
    parts: list[Any] = [None] * join_group()[1]
    dist.all_gather_object(parts, mine)
    return {key: value for part in parts for key, value in part.items()}


def _broadcast(value: Any) -> Any:
    box = [value]
    dist.broadcast_object_list(box, src=0, device=torch.device("cpu"))
    return box[0]


class Votes:
    """Decides that all processes stop after the same round as soon as one of them wants to.

    They exchange their wishes after the same rounds, about `seconds` apart by process 0's clock.
    """

    def __init__(self, seconds: float = 0.25) -> None:
        self.seconds = seconds
        self._between, self._left = 1, 1
        self._before = time.monotonic()

    def __call__(self, wanted: int) -> int:
        """The strongest wish of all processes, 0 for none. To be called once a round by all."""
        if processes() == 1:
            return wanted
        self._left -= 1
        if self._left:
            return 0
        now = time.monotonic()
        rate = self._between / max(now - self._before, 1e-9)
        self._before = now
        proposed = max(1, min(1000, int(rate * self.seconds))) if not rank() else 0
        said = torch.tensor([int(wanted), proposed])
        dist.all_reduce(said, dist.ReduceOp.MAX)
        stop, self._between = (int(number) for number in said)
        self._left = self._between
        return stop
