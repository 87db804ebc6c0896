"""How soon ganzoo is there: importing it, listing, and the first images of a model.

    python benchmarks/startup.py [--repeats 10]
    python benchmarks/startup.py --models --repeats 2     loading of each published model

Each line is a process of its own, started again and again; the best of all is what the work
costs on a machine that does nothing else. Processor seconds (user and system) stand beside
the wall's: on a busy machine they are the better ones.
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

IMAGES = """
import sys, time, json
import torch
wall, work = time.perf_counter(), time.process_time()
import ganzoo
ganzoo.from_pretrained(sys.argv[1]).generate(16, seed=0)
print(json.dumps([time.perf_counter() - wall, time.process_time() - work]))
"""

LOAD = """
import sys, time, json
import torch
wall, work = time.perf_counter(), time.process_time()
import ganzoo
ganzoo.from_pretrained(sys.argv[1])
compiler = "torch._dynamo" in sys.modules
print(json.dumps([time.perf_counter() - wall, time.process_time() - work, compiler]))
"""

SAVE = """
import sys, torch, ganzoo
from ganzoo.plugins import host
from ganzoo.models import store
from ganzoo.engine.training import Training
data = ganzoo.load_data("digits")
spec = host.default().variant("dcgan")().spec(data.fields)
training = Training(spec, data, batch=128, seed=0, device=torch.device("cpu"))
training.round()
store.save(training.model(), sys.argv[1])
"""


def process(arguments: Sequence[str], repeats: int) -> tuple[float, float]:
    """The best (wall, processor) seconds of a whole process, the two taken separately."""
    walls, works = [], []
    for _ in range(repeats):
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        start = time.perf_counter()
        subprocess.run(arguments, check=True, stdout=subprocess.DEVNULL)
        walls.append(time.perf_counter() - start)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        works.append(after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)
    return min(walls), min(works)


def first_images(model: str, repeats: int) -> tuple[float, float]:
    """Seconds from after `import torch` to 16 images, best of all."""
    found = [
        json.loads(subprocess.check_output([sys.executable, "-c", IMAGES, model]))
        for _ in range(repeats)
    ]
    walls, works = zip(*found, strict=True)
    return min(walls), min(works)


def loads(repeats: int) -> None:
    """Seconds from after `import torch` until each published model is there."""
    from ganzoo.hub import entries

    for entry in entries():
        found = [
            json.loads(subprocess.check_output([sys.executable, "-c", LOAD, entry.name]))
            for _ in range(repeats)
        ]
        walls, works, compiler = zip(*found, strict=True)
        line(f"from_pretrained {entry.name}", (min(walls), min(works)), 0.5)
        if any(compiler):
            print("    imports torch's compiler")


def line(what: str, seconds: tuple[float, float], aim: float | None = None) -> None:
    wall, work = seconds
    verdict = "" if aim is None else f"{aim:7.1f}   {'met' if wall < aim else 'MISSED'}"
    print(f"  {what:42} {wall:7.3f} {work:10.3f} {verdict}", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--repeats", type=int, default=10)
    parser.add_argument("--models", action="store_true", help="load each published model instead")
    given = parser.parse_args()
    repeats = given.repeats
    python = sys.executable
    print(f"  {'seconds, best of ' + str(repeats):42} {'wall':>7} {'processor':>10} {'aim':>7}")

    if given.models:
        loads(repeats)
        return
    bare = process([python, "-c", ""], repeats)
    imported = process([python, "-c", "import ganzoo"], repeats)
    line("bare Python", bare)
    over = imported[0] - bare[0], imported[1] - bare[1]
    line("import ganzoo, over bare Python", over, 0.1)

    command = Path(python).with_name("ganzoo")
    ganzoo = [str(command)] if command.exists() else [python, "-m", "ganzoo.cli"]
    line("ganzoo models", process([*ganzoo, "models"], repeats), 0.5)
    line("ganzoo variants", process([*ganzoo, "variants"], repeats), 0.5)

    from ganzoo.hub import entries

    bundled = entries()
    with tempfile.TemporaryDirectory() as folder:
        model = bundled[0].name if bundled else str(Path(folder, "model"))
        if not bundled:
            subprocess.run([python, "-c", SAVE, model], check=True)
        name = bundled[0].name if bundled else "a fresh dcgan"
        line(f"from_pretrained and 16 images, {name}", first_images(model, repeats), 0.5)


if __name__ == "__main__":
    main()
