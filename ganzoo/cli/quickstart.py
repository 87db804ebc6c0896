"""`ganzoo quickstart`: samples of a trained model, and a small training run."""

from __future__ import annotations

import shutil
import time
from pathlib import Path

from ganzoo import hub, pictures, runs
from ganzoo.cli.terminal import out
from ganzoo.cli.training import report, train_with_progress
from ganzoo.data import load
from ganzoo.data.source import Source
from ganzoo.engine import train
from ganzoo.errors import StoreError
from ganzoo.nn.devices import find
from ganzoo.plugins.host import default
from ganzoo.spec.spec import Spec

MODEL = "dcgan-mnist"
VARIANT = "dcgan"
SETTINGS = {"width": 32, "batch": 64, "lr": 1e-3}
"""Small and fast; at the paper's rate of 2e-4, digits are less clear after a minute."""


def run(folder: Path, seconds: float, device: str | None = None) -> None:
    """Generate with an installed model, then train, save, load and use a small one.

    Args:
        folder: the output folder; one of an earlier quickstart is replaced.
        seconds: the approximate training time.
        device: the device; by default CUDA if available, else the CPU.
    """
    where = str(find(device))
    mark = folder / ".quickstart"
    if folder.exists() and any(folder.iterdir()):
        if not mark.is_file():
            raise StoreError(f"{folder} holds other files; give another folder with --out")
        shutil.rmtree(folder)
    folder.mkdir(parents=True, exist_ok=True)
    mark.touch()

    out.print(f"\n[bold]1. {MODEL}, a published model, draws 64 digits[/]")
    digits = folder / "digits.png"
    pictures.save_sheet(runs.samples(hub.from_pretrained(MODEL, device=where), 64), digits)
    out.print(f"   {digits}")

    out.print(f"\n[bold]2. a small {VARIANT} is trained on the 10,000 bundled digits[/]")
    source = load("digits")
    variant = default().variant(VARIANT).parse(SETTINGS)
    spec = variant.spec(source.fields)
    steps = _steps_in(spec, source, seconds, where)
    settings = runs.Settings(
        name="my-first-gan", spec=spec, data="digits", steps=steps, batch=spec.batch,
        made_by={"variant": VARIANT, "settings": variant.model_dump(mode="json")},
    )  # fmt: skip
    first = folder / "my-first-gan"
    train_with_progress(first, source, settings.name, settings=settings, device=where)

    out.print("\n[bold]3. it is saved, loaded with from_pretrained, and draws[/]")
    model = hub.from_pretrained(first, device=where)
    pictures.save_sheet(runs.samples(model, 64, seed=1), first / "samples.png")
    report(first, spec)
    out.print(
        "\n[bold]What to try next[/]\n"
        f"   ganzoo sample {MODEL} -n 64 --seed 7 -o digits.png\n"
        f"   ganzoo show {VARIANT}                 its mathematics\n"
        f"   ganzoo explain {VARIANT} --code       the Python that a training round runs\n"
        f"   ganzoo train {VARIANT} --data folder:PATH    on pictures of your own"
    )


def _steps_in(spec: Spec, source: Source, seconds: float, device: str) -> int:
    """How many steps fit into `seconds` on this machine, from a few of them."""
    started, done = 0.0, 0
    for step in train(spec, source, device=device):
        if step.number == 3:  # the first steps are slow
            started = time.perf_counter()
        if step.number > 3:
            done += 1
            if time.perf_counter() - started > 1.5 or done == 50:
                break
    rate = done / (time.perf_counter() - started)
    # pictures and checkpoints take time, too
    return max(50, round(0.85 * rate * seconds / 50) * 50)
