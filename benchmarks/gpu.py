"""ganzoo on a GPU: speed beside loops by hand, parity, memory; unattended, in under three minutes.

    python benchmarks/gpu.py                        from a checkout; nothing need be installed
    python benchmarks/gpu.py --only speed,r3gan     some sections
    python benchmarks/gpu.py --device cpu --quick   whether the script itself is sound

Sections, each in a process of its own, so that one that fails takes no other along:

    speed    milliseconds a round of ganzoo (calls; recorded), of a loop by hand (calls; recorded),
             and of a public loop with eight workers; memory
    r3gan    R1 and R2 every round at 64 pixels: ganzoo with its convolutions and with torch's, and
             a plain loop with torch's
    conv     one penalty of one grouped convolution, in torch's way and in ganzoo's
    profile  which kernels a recorded round runs, and how long the GPU is busy
    tests    tests/test_cuda.py: recorded rounds against calls to the bit, resume to the bit,
             answers beside the CPU's, a layer that cannot be recorded, losses that are not finite

A measurement that fails or hangs is named and left out of the table; the others go on. What
earlier sections leave of their time is for later ones. The data are random pixels; all numbers are
of one run on one machine.
"""

from __future__ import annotations

import argparse
import copy
import importlib
import json
import os
import signal
import statistics
import subprocess
import sys
import threading
import time
import traceback
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
SECTIONS = {"speed": 75, "r3gan": 30, "conv": 10, "profile": 12, "tests": 40}
"""Sections in their order, and how many seconds each has at least."""
TOTAL = 170
"""Seconds for all of them: what is late is stopped."""
EACH = 15.0
"""Seconds for one measurement with all that it needs; what takes longer is given up."""
WORKLOADS = {
    "gan 28": ("ganzoo_gan", "GAN", 1, 28, {}),
    "dcgan 28": ("ganzoo_dcgan", "DCGAN", 1, 28, {}),
    "wgan-gp 28": ("ganzoo_wgan", "WGANGP", 1, 28, {}),
    "dcgan 64 colour": ("ganzoo_dcgan", "DCGAN", 3, 64, {}),
}
LATER = {
    "r3gan 64": ("ganzoo_r3gan", "R3GAN", 3, 64, {}),
    "stylegan2 64": ("ganzoo_stylegan", "StyleGAN2", 3, 64, {}),
}
"""Without a loop by hand in `speed`; of r3gan there is one in its section."""


def paths() -> str:
    """The checkout and its plugins, for PYTHONPATH."""
    found = [str(ROOT), *map(str, sorted((ROOT / "plugins").glob("*")))]
    return os.pathsep.join([*found, *filter(None, [os.environ.get("PYTHONPATH")])])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--device", default="cuda")
    parser.add_argument("--quick", action="store_true", help="two rounds of each")
    parser.add_argument("--only", default=",".join(SECTIONS))
    parser.add_argument("--seconds", type=float, default=TOTAL, help="for all sections together")
    parser.add_argument("--section", help="for its own use")
    arguments = parser.parse_args()
    if arguments.section:
        sys.path[:0] = paths().split(os.pathsep)
        globals()[arguments.section](arguments.device, arguments.quick)
        return
    begun = time.monotonic()
    results: list[dict[str, Any]] = []
    names = arguments.only.split(",")
    # also where somebody stops it: what was found is worth a table
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    try:
        for index, name in enumerate(names):
            later = 0 if arguments.quick else sum(map(SECTIONS.__getitem__, names[index + 1 :]))
            left = arguments.seconds - (time.monotonic() - begun) - later
            if left < 1:
                print(f"--- {name}: no time left", flush=True)
                continue
            section(name, arguments, left, results)
    finally:
        print(table(results))
        print(f"\n{time.monotonic() - begun:.0f} s in all", flush=True)


def section(
    name: str, arguments: argparse.Namespace, limit: float, found: list[dict[str, Any]]
) -> None:
    """Run a section in its own process; what it prints as results is appended to `found`."""
    print(f"--- {name} (at most {limit:.0f} s)", flush=True)
    words = [sys.executable, "-u", __file__, "--section", name, "--device", arguments.device]
    words += ["--quick"] if arguments.quick else []
    begun = time.monotonic()
    process = subprocess.Popen(
        words, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, cwd=ROOT,
        env={**os.environ, "PYTHONPATH": paths(), "PYTHONDONTWRITEBYTECODE": "1"},
        start_new_session=True,
    )  # fmt: skip

    def end() -> None:
        # with the workers that it has started
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)

    timer = threading.Timer(limit, end)
    timer.start()
    assert process.stdout is not None
    try:
        for line in process.stdout:
            if line.startswith("RESULT "):
                found.append(json.loads(line.removeprefix("RESULT ")))
            print("   ", line, end="", flush=True)
        code = process.wait()
    finally:
        timer.cancel()
        end()
    print(f"    ({name}: exit {code}, {time.monotonic() - begun:.0f} s)", flush=True)


def result(**facts: Any) -> None:
    print("RESULT " + json.dumps(facts), flush=True)


def table(results: list[dict[str, Any]]) -> str:
    """All milliseconds as one table, and the ratios that count."""
    columns = ["ganzoo calls", "ganzoo graph", "hand calls", "hand graph", "public 8"]
    rows: dict[str, dict[str, float]] = {}
    memory: dict[str, float] = {}
    lines = ["", f"{'ms a round':18}" + "".join(f"{c:>14}" for c in columns)]
    lines[-1] += f"{'public/graph':>14}{'graph/hand':>12}{'MB':>8}"
    for found in results:
        row = rows.setdefault(found["row"], {})
        if found.get("failed"):
            row[found["column"]] = float("nan")
        else:
            row[found["column"]] = found["ms"]
            if found["column"] == "ganzoo graph":
                memory[found["row"]] = found["MB"]
    for row, values in rows.items():
        line = f"{row:18}" + "".join(
            _number(values[c]) if c in values else f"{'-':>14}" for c in columns
        )
        graph = values.get("ganzoo graph", float("nan"))
        line += f"{values.get('public 8', float('nan')) / graph:14.2f}"
        line += f"{graph / values.get('hand graph', float('nan')):12.3f}"
        line += f"{memory.get(row, float('nan')):8.0f}"
        lines.append(line)
        others = {c: v for c, v in values.items() if c not in columns}
        lines += [f"    {name:28}{_number(value)} ms" for name, value in others.items()]
    return "\n".join(lines)


def _number(ms: float) -> str:
    return f"{ms:14.3f}" if ms == ms else f"{'failed':>14}"


# ------------------------------------------------------------------------------ measuring


def source(channels: int, size: int, device: str, n: int = 4096) -> Any:
    import torch

    from ganzoo.data.source import Source

    generator = torch.Generator().manual_seed(0)
    pixels = torch.randint(
        0, 256, (n, channels, size, size), dtype=torch.uint8, generator=generator
    )
    labels = torch.arange(n) % 10
    return Source.from_arrays("random", pixels, labels), pixels.to(device)


def spec_of(module: str, variant: str, fields: Any, settings: dict[str, Any]) -> Any:
    return getattr(importlib.import_module(module), variant)(**settings).spec(fields)


def wait(device: str) -> None:
    import torch

    if device.startswith("cuda"):
        torch.cuda.synchronize()


def measure(step: Callable[[], Any], device: str, quick: bool, seconds: float = 0.8) -> float:
    """The median of some windows, in milliseconds a round."""
    for _ in range(1 if quick else 8):
        step()
    wait(device)
    begun = time.perf_counter()
    for _ in range(1 if quick else 5):
        step()
    wait(device)
    one = (time.perf_counter() - begun) / (1 if quick else 5)
    windows, rounds = (1, 1) if quick else (5, max(3, int(seconds / 5 / one)))
    times: list[float] = []
    for _ in range(windows):
        begun = time.perf_counter()
        for _ in range(rounds):
            step()
        wait(device)
        times.append((time.perf_counter() - begun) / rounds)
    return statistics.median(times) * 1e3


def timed(
    row: str, column: str, make: Callable[[], Callable[[], Any]], device: str, quick: bool
) -> None:
    """Measure what `make` makes, whatever happens to it; see EACH."""
    import gc

    import torch

    cuda = device.startswith("cuda")

    def late(*_: Any) -> None:
        raise TimeoutError(f"given up after {EACH:.0f} s")

    signal.signal(signal.SIGALRM, late)
    try:
        signal.setitimer(signal.ITIMER_REAL, EACH)
        gc.collect()
        if cuda:
            torch.cuda.empty_cache()
            torch.cuda.reset_peak_memory_stats()
        step = make()
        ms = measure(step, device, quick)
        megabytes = torch.cuda.max_memory_allocated() / 2**20 if cuda else 0.0
        result(row=row, column=column, ms=ms, MB=megabytes)
    except Exception:
        print(f"{row}, {column}:")
        traceback.print_exc(file=sys.stdout)
        result(row=row, column=column, failed=True)
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)


def training(spec: Any, data: Any, device: str, graph: bool) -> Any:
    import torch

    from ganzoo.engine.training import Training

    made = Training(spec, data, batch=spec.batch, seed=0, device=torch.device(device), graph=graph)
    return made


def rounds(made: Any, graph: bool) -> Callable[[], Any]:
    def step() -> None:
        made.round()
        if graph and made.runner.why_not:
            raise RuntimeError(made.runner.why_not)

    return step


# ------------------------------------------------------------------------------- sections


def speed(device: str, quick: bool) -> None:
    import torch

    print(torch.__version__, torch.cuda.get_device_name() if device != "cpu" else "CPU")
    for row, (module, variant, channels, size, settings) in {
        **WORKLOADS,
        "stylegan2 64": LATER["stylegan2 64"],
    }.items():
        try:
            data, pixels = source(channels, size, device, 256 if quick else 8192)
            settings = {**settings, "batch": 16} if quick else settings
            spec = spec_of(module, variant, data.fields, settings)
            for column, graph in (("ganzoo calls", False), ("ganzoo graph", True)):
                timed(row, column, make_ganzoo(spec, data, device, graph), device, quick)
            if row in WORKLOADS:
                by_hand(row, spec, data, pixels, device, quick)
        except ImportError:
            print(f"{row}: no such plugin here")
        except Exception:
            traceback.print_exc(file=sys.stdout)


def make_ganzoo(spec: Any, data: Any, device: str, graph: bool) -> Callable[[], Any]:
    return lambda: rounds(training(spec, data, device, graph), graph)


def by_hand(row: str, spec: Any, data: Any, pixels: Any, device: str, quick: bool) -> None:
    import torch
    from hand import Game, Loop, public

    built = training(spec, data, device, False)
    optimizer, second = (update.optimizer for update in spec.stages[0].updates)
    wasserstein = "C" in spec.networks
    game = Game(
        discriminator="C" if wasserstein else "D",
        latent=spec.draws["z"].size,
        batch=spec.batch,
        lr=(optimizer.lr, second.lr),
        betas=optimizer.betas,
        loss="wasserstein" if wasserstein else "bce",
        steps=5 if wasserstein else 1,
        penalty=10.0 if wasserstein else 0.0,
        decay=optimizer.weight_decay,
    )
    bf16 = built.precision == "bf16"
    nets = {name: copy.deepcopy(net) for name, net in built.networks.items()}
    timed(row, "hand calls", lambda: Loop(game, nets, pixels, bf16=bf16).step, device, quick)
    if device != "cpu":
        timed(
            row, "hand graph",
            lambda: Loop(game, nets, pixels, bf16=bf16, graph=True).step,
            device, quick,
        )  # fmt: skip
    # a plain script does not lay its weights out anew
    plain = {n: net.to(memory_format=torch.contiguous_format) for n, net in nets.items()}
    workers = 0 if quick else 8
    loop = public(game, plain, pixels, workers)
    timed(row, "public 8", lambda: loop.__next__, device, quick)


def r3gan(device: str, quick: bool) -> None:
    from hand import Game, Loop

    from ganzoo.nn.convolution import Convolutions

    data, pixels = source(3, 64, device, 64 if quick else 4096)
    settings = {"width": 32, "batch": 4} if quick else {}
    spec = spec_of(*LATER["r3gan 64"][:2], data.fields, settings)
    row = "r3gan 64"

    def ganzoo(graph: bool, ours: bool) -> Callable[[], Any]:
        made = training(spec, data, device, graph)
        for net in made.networks.values():
            net.convolutions = Convolutions() if ours else None
        return rounds(made, graph)

    timed(row, "ganzoo graph", lambda: ganzoo(True, True), device, quick)
    timed(row, "ganzoo calls", lambda: ganzoo(False, True), device, quick)
    timed(row, "ganzoo graph, torch's conv", lambda: ganzoo(True, False), device, quick)
    built = training(spec, data, device, False)
    for net in built.networks.values():
        net.convolutions = None
    game = Game(
        "D", spec.draws["z"].size, spec.batch, (2e-4, 2e-4), (0.0, 0.9), "relativistic", penalty=2
    )
    timed(
        row, "hand calls",
        lambda: Loop(game, built.networks, pixels, bf16=False).step,
        device, quick,
    )  # fmt: skip


def conv(device: str, quick: bool) -> None:
    import torch

    from ganzoo.nn.convolution import Convolutions

    half = torch.bfloat16 if device != "cpu" else torch.float32
    batch, channels, size = (2, 16, 8) if quick else (64, 256, 32)
    for groups in (1, 16):
        net = torch.nn.Conv2d(channels, channels, 3, padding=1, groups=groups, bias=False)
        net = net.to(device, half, memory_format=torch.channels_last)
        x = torch.randn(batch, channels, size, size, device=device, dtype=half)
        x = x.contiguous(memory_format=torch.channels_last).requires_grad_()

        def penalty(net: Any = net, x: Any = x) -> None:
            [slope] = torch.autograd.grad(net(x).tanh().float().sum(), x, create_graph=True)
            torch.autograd.grad(slope.float().square().sum(), net.weight)

        def ours(penalty: Callable[[], None] = penalty) -> None:
            with Convolutions():
                penalty()

        row = f"R1, {groups} groups"
        timed(row, "torch", lambda p=penalty: p, device, quick)
        timed(row, "ganzoo", lambda o=ours: o, device, quick)


def profile(device: str, quick: bool) -> None:
    from torch.profiler import ProfilerActivity
    from torch.profiler import profile as profiled

    module, variant, channels, size, settings = WORKLOADS["dcgan 28"]
    data, _ = source(channels, size, device, 256)
    made = training(
        spec_of(module, variant, data.fields, settings | ({"batch": 8} if quick else {})),
        data, device, True,
    )  # fmt: skip
    for _ in range(3):
        made.round()
    wait(device)
    kinds = [ProfilerActivity.CPU] if device == "cpu" else [ProfilerActivity.CUDA]
    number = 1 if quick else 10
    with profiled(activities=kinds) as seen:
        for _ in range(number):
            made.round()
        wait(device)
    word = "self_cpu_time_total" if device == "cpu" else "self_device_time_total"
    events = sorted(seen.key_averages(), key=lambda e: -getattr(e, word))
    busy = sum(getattr(event, word) for event in events) / number / 1e3
    count = sum(event.count for event in events) / number
    print(f"dcgan 28: {count:.0f} operations a round, {busy:.3f} ms of them a round")
    for event in events[:25]:
        time_ = getattr(event, word) / number
        print(f"{time_:9.1f} us {event.count / number:6.1f} x  {event.key[:90]}")


def tests(device: str, quick: bool) -> None:
    words = ["-m", "pytest", "tests/test_cuda.py", "-q", "-s", "-x" if quick else "-q", "-p",
             "no:cacheprovider", "-o", "filterwarnings=default", "--tb=short"]  # fmt: skip
    code = subprocess.run([sys.executable, *words], cwd=ROOT).returncode
    result(section="tests", exit=code)


if __name__ == "__main__":
    main()
