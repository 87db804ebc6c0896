"""What a round costs by parts, and how long it would take on many devices; see docs/scaling.md.

    python scripts/scaling.py predict dcgan --data folder:PATH,size=64   1 to 1,024 GPUs
    python scripts/scaling.py predict r3gan-ffhq64 --fields 3x64x64 --link 25
    python scripts/scaling.py measure dcgan                              1, 2 and 4 processes here

`predict` needs no device: operations are counted on torch's meta device, and bandwidths are
given. `measure` trains in 1, 2 and 4 processes on this machine, by gloo, and puts beside it what
the same formula says of a machine whose parts were measured alone: a round of a share of the batch
in one process, and messages between as many processes.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import statistics
import subprocess
import sys
import time
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from torch import distributed as dist
from torch.utils._python_dispatch import TorchDispatchMode

import ganzoo
from ganzoo.data.source import Source
from ganzoo.engine.buckets import PIECE
from ganzoo.engine.explain import flops_of
from ganzoo.engine.plan import Plan, Round
from ganzoo.engine.settling import NORMS
from ganzoo.engine.training import Training
from ganzoo.nn.build import build
from ganzoo.spec import Fields, Image, Spec


@dataclass(frozen=True)
class Cost:
    """What one round costs, all processes together unless it says otherwise.

    operations: floating-point. kernels: operations of torch, which a device launches one by one.
    weights: bytes of weights and of what optimizers remember that are read and written, in each
    process. sent: bytes of gradients that each process has. messages: of gradients. statistics:
    exchanges of batch norm. data: bytes of images that are read.
    """

    operations: float
    kernels: float
    weights: float
    sent: float
    messages: float
    statistics: float
    data: float

    def times(self, world: int) -> Cost:
        """With a batch so many times as large."""
        return replace(self, operations=self.operations * world, data=self.data * world)


@dataclass(frozen=True)
class Machine:
    """A device and what joins it to others.

    operations: a second, as it does them. memory: bytes a second. kernel: seconds that a kernel
    takes at least, and call that the host needs to launch it where rounds are not recorded, as in
    several processes. host: seconds of the host a round. near, far: bytes a second that a device
    sends inside a machine of `devices`, and out of it. hop: seconds that a message takes from
    device to device. disk: bytes a second of data that a machine reads.
    """

    operations: float = 250e12
    memory: float = 3.3e12
    kernel: float = 3.5e-6
    call: float = 28e-6
    host: float = 50e-6
    near: float = 400e9
    far: float = 45e9
    hop: float = 5e-6
    devices: int = 8
    disk: float = 5e9


class _Kernels(TorchDispatchMode):
    """Counts what torch would launch."""

    VIEWS = (
        "view", "reshape", "expand", "permute", "transpose", "t", "slice", "select", "detach",
        "unsqueeze", "squeeze", "alias", "as_strided", "split", "unbind", "_unsafe_view", "empty",
        "empty_like", "new_empty", "empty_strided",
    )  # fmt: skip

    def __init__(self) -> None:
        super().__init__()
        self.total = 0

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        self.total += func._schema.name.removeprefix("aten::") not in self.VIEWS
        return func(*args, **(kwargs or {}))


def cost(spec: Spec) -> Cost:
    """The mean over the rounds of the first stage, with the batch of the Spec."""
    plan, networks = Plan(spec), build(spec)
    period = plan.period(0)
    found = [0.0] * 7
    for numbers in plan.alike(0):
        share, round = len(numbers) / period, plan.round(0, numbers[0])
        parts = _round(spec, round, networks)
        found = [total + share * part for total, part in zip(found, parts, strict=True)]
    return Cost(*found)


def _round(spec: Spec, round: Round, networks: Any) -> tuple[float, ...]:
    with _Kernels() as kernels:
        flops = flops_of(spec, round)
    size = {n: sum(4 * p.numel() for p in net.parameters()) for n, net in networks.items()}
    norms = {n: sum(isinstance(m, NORMS) for m in net.modules()) for n, net in networks.items()}
    passes = round.passes()
    weights = sum(3 * size[name] * found.total for name, found in passes.items())
    sent = messages = 0.0
    for execution in round.executions:
        for update in execution.updates:
            trained = sum(size[name] for name in update.train)
            sent += trained
            messages += max(1, math.ceil(trained / PIECE))
            weights += 7 * trained  # the optimizer: gradient, weight, two moments, three written
            kernels.total += 3
    statistics_ = sum(
        norms[name] * (2 * (found.trained + found.through) + found.free)
        for name, found in passes.items()
        if name not in round.stage.freeze
    )
    read = sum(
        math.prod(draw.shape) * spec.batch
        for name, draw in spec.draws.items()
        if isinstance(draw, Image)
        for _ in range(sum(drawn == name for _, drawn in round.draws))
    )
    return flops, kernels.total, weights, sent, messages, statistics_, read


def seconds(cost: Cost, world: int, machine: Machine) -> dict[str, float]:
    """The parts of a round on `world` devices, in seconds, and their `total`.

    Gradients go round a ring: each device sends 2 (world - 1) / world of them, over the slowest
    link, in 2 (world - 1) hops a message within a machine and, as libraries do between machines,
    in trees of 2 log2 hops. Half of what is sent is taken to overlap with the backward pass where
    there are many pieces. Reading goes on beside everything else.
    """
    compute = (
        max(cost.operations / world / machine.operations, cost.weights / machine.memory)
        + cost.kernels * machine.kernel
    )
    link = machine.near if world <= machine.devices else machine.far
    hops = 2 * min(world - 1, machine.devices - 1) + 2 * math.log2(max(1, world / machine.devices))
    traffic = 2 * (world - 1) / world * cost.sent / link
    exposed = traffic / 2 if cost.messages > 2 else traffic
    messages = (cost.messages + cost.statistics) * hops * machine.hop if world > 1 else 0.0
    launches = cost.kernels * machine.call if world > 1 else 0.0
    read = cost.data / math.ceil(world / machine.devices) / machine.disk
    work = machine.host + max(compute, launches) + exposed + messages
    return {
        "compute": compute, "launches": launches, "gradients": exposed, "messages": messages,
        "host": machine.host, "data": read, "total": max(work, read),
    }  # fmt: skip


def predict(spec: Spec, per_device: int, machine: Machine) -> None:
    print(f"batch {per_device} a device; {machine}")
    first, one = 0.0, cost(spec.replace(batch=per_device))
    print(f"a round of one device: {one}\n")
    print(
        "devices  ms/round   compute  launches gradients  messages      data   images/s  efficiency"
    )
    for world in (1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024):
        parts = seconds(one.times(world), world, machine)
        rate = per_device * world / parts["total"]
        first = first or rate
        keys = ("total", "compute", "launches", "gradients", "messages", "data")
        shown = "".join(f"{1e3 * parts[key]:10.2f}" for key in keys)
        print(f"{world:7} {shown} {rate:10,.0f}     {rate / world / first:7.0%}")


# ---------------------------------------------------------------------------- measured here


def source(spec: Spec) -> Source:
    drawn = {draw.field: draw for draw in spec.data_draws().values()}
    generator = np.random.default_rng(0)
    arrays = {
        field: generator.integers(0, 256, (512, *draw.shape), np.uint8)
        if isinstance(draw, Image)
        else generator.integers(0, draw.classes, 512)
        for field, draw in drawn.items()
    }
    return Source("noise", Fields(fields=drawn), arrays)


def timed(spec: Spec, rounds: int, norm: bool) -> float:
    """Milliseconds of a round, the best, since whatever else a machine does only slows one down;
    all processes of this group train together."""
    torch.set_num_threads(1)
    spec = spec.with_steps(rounds + 2)
    training = Training(
        spec, source(spec), batch=spec.batch, seed=0, device=torch.device("cpu"),
        precision="fp32", shared_norm=norm,
    )  # fmt: skip
    found: list[float] = []
    for number in range(rounds + 2):
        begun = time.perf_counter()
        training.round()
        if number >= 2:
            found.append(time.perf_counter() - begun)
    return 1e3 * min(found)


def messages(bytes_: int, repeats: int = 30) -> float:
    """Milliseconds of one all-reduce of so many bytes, the median of the faster half."""
    value, found = torch.zeros(max(1, bytes_ // 4)), list[float]()
    for _ in range(repeats):
        dist.barrier()
        begun = time.perf_counter()
        dist.all_reduce(value)
        found.append(time.perf_counter() - begun)
    return 1e3 * statistics.median(sorted(found)[: repeats // 2])


def child(what: str, name: str, batch: int, rounds: int) -> None:
    spec = declared(name, None, "1x28x28").replace(batch=batch)
    if what == "round":
        answer: Any = timed(spec, rounds, norm=True)
    else:
        from ganzoo.engine.distribution import join_group

        torch.set_num_threads(1)
        join_group()
        found = cost(spec)
        each = int(found.sent / max(1, found.messages))
        answer = [messages(each), messages(512)]
    if os.environ.get("RANK", "0") == "0":
        print(json.dumps(answer), flush=True)


def launched(world: int, what: str, name: str, batch: int, rounds: int) -> Any:
    program = [sys.executable]
    if world > 1:
        program += ["-m", "torch.distributed.run", "--standalone", f"--nproc-per-node={world}"]
    given = [*program, __file__, what, name, "--batch", str(batch), "--rounds", str(rounds)]
    env = {**os.environ, "OMP_NUM_THREADS": "1"}
    out = subprocess.run(given, env=env, check=True, stdout=subprocess.PIPE, text=True).stdout
    return json.loads(out.strip().splitlines()[-1])


def measure(name: str, batch: int, rounds: int) -> None:
    """1, 2 and 4 processes of one thread, batch fixed; the parts are measured alone."""
    cores = len(os.sched_getaffinity(0))
    print(f"{name}, batch {batch} in all, {cores} cores, one thread a process; ms a round\n")
    print("processes   measured  predicted  measured/predicted   a share, alone   messages")
    for world in (1, 2, 4):
        share = launched(1, "round", name, batch // world, rounds)
        # more processes than cores take turns
        compute = share * max(1, world / cores)
        sent = 0.0
        if world > 1:
            found = cost(declared(name, None, "1x28x28").replace(batch=batch))
            gradients, small = launched(world, "messages", name, batch, rounds)
            sent = found.messages * gradients + found.statistics * small
        whole = launched(world, "round", name, batch, rounds)
        ratio = whole / (compute + sent)
        print(
            f"{world:9}   {whole:8.1f}   {compute + sent:8.1f}   {ratio:17.2f}   "
            f"{share:14.1f}   {sent:8.1f}",
            flush=True,
        )


def declared(name: str, data: str | None, shape: str) -> Spec:
    if data:
        return ganzoo.variant(name).spec(ganzoo.load_data(data).fields)
    channels, height, width = map(int, shape.split("x"))
    image = Image((channels, height, width))
    return ganzoo.variant(name).spec(Fields(fields={"image": image}))


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("what", choices=["predict", "measure", "round", "messages"])
    parser.add_argument("variant", nargs="?", default="dcgan")
    parser.add_argument("--data", help="a data set; by default images of --fields")
    parser.add_argument("--fields", default="1x28x28", help="channels x height x width")
    parser.add_argument("--batch", type=int, help="of a device (predict), or in all")
    parser.add_argument("--rounds", type=int, default=20)
    parser.add_argument("--operations", type=float, default=250, help="10^12 a second")
    parser.add_argument("--near", type=float, default=400, help="10^9 bytes a second in a machine")
    parser.add_argument("--link", type=float, default=45, help="10^9 bytes a second between")
    parser.add_argument("--disk", type=float, default=5, help="10^9 bytes a second of a machine")
    given = parser.parse_args()
    if given.what == "predict":
        spec = declared(given.variant, given.data, given.fields)
        machine = Machine(
            operations=given.operations * 1e12, near=given.near * 1e9, far=given.link * 1e9,
            disk=given.disk * 1e9,
        )  # fmt: skip
        predict(spec, given.batch or spec.batch, machine)
    elif given.what == "measure":
        measure(given.variant, given.batch or 64, given.rounds)
    else:
        child(given.what, given.variant, given.batch or 64, given.rounds)


if __name__ == "__main__":
    main()
