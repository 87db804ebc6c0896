"""Commands that train."""

from __future__ import annotations

import re
import signal
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ganzoo.cli.console import DATA_HELP, LossName, Setting, app, declared, err, out
from ganzoo.errors import SpecError, UnknownNameError

if TYPE_CHECKING:
    from ganzoo.spec.spec import Spec


@app.command()
def train(
    target: Annotated[str | None, typer.Argument(help="A variant or a Spec file.")] = None,
    data: Annotated[str | None, typer.Option(help=DATA_HELP)] = None,
    steps: Annotated[int | None, typer.Option(min=1, help="Rounds; the Spec's by default.")] = None,
    batch: Annotated[int | None, typer.Option(min=1, help="Samples in a batch.")] = None,
    set: Setting = None,
    loss: LossName = None,
    seed: Annotated[int, typer.Option(help="Of everything random.")] = 0,
    out_: Annotated[Path | None, typer.Option("--out", help="Folder of the run.")] = None,
    resume: Annotated[Path | None, typer.Option(help="Go on with the run in this folder.")] = None,
    precision: Annotated[str, typer.Option(help="auto, fp32 or bf16.")] = "auto",
    device: Annotated[str | None, typer.Option(help="cpu, cuda, cuda:1, ...")] = None,
    graph: Annotated[
        bool | None, typer.Option("--graph/--no-graph", help="CUDA graphs; by default on CUDA.")
    ] = None,
    minutes: Annotated[
        float | None, typer.Option(min=0, help="Stop and save after so long, to go on later.")
    ] = None,
    snapshots: Annotated[
        bool, typer.Option("--snapshots", help="Keep about 40 models on the way.")
    ] = False,
) -> None:
    """Train a variant or a Spec file."""
    from ganzoo import runs

    begun = time.monotonic()
    if resume is not None:
        if target or data or batch or set or loss or out_ or snapshots:
            raise SpecError(
                "--resume takes everything from the run; give only --resume FOLDER, --steps to "
                "make it longer, and where and how long to run: --device, --no-graph, --minutes"
            )
        folder = resume
        settings = runs.extend(folder, steps) if steps else runs.Settings.read(folder)
        if (folder / "model" / "config.json").is_file():
            out.print(f"the run in {folder} is done: ganzoo sample {folder} -o samples.png")
            return
    else:
        if target is None:
            raise UnknownNameError("train what? Give a variant (`ganzoo variants`) or a Spec file")
        if precision not in ("auto", "fp32", "bf16"):
            raise SpecError(f"--precision is auto, fp32 or bf16, not {precision!r}")
        data = data or "mnist"
        spec, made_by = declared(target, data, set, loss)
        data = _folder_for(spec, data)
        name = Path(target).stem if made_by["variant"] == "" else made_by["variant"]
        name += f"-{made_by['loss']['name']}" if loss else ""
        settings = runs.Settings(
            name=f"{name}-{_plain(data)}", spec=spec, data=data,
            steps=steps or spec.steps, batch=batch or spec.batch, seed=seed,
            precision=precision, snapshots=snapshots, made_by=made_by,
        )  # fmt: skip
        folder = out_ or Path("runs") / settings.name
    from ganzoo.data import load

    source = load(settings.data)
    if resume is None:
        runs.start(folder, settings)
    deadline = None if minutes is None else begun + 60 * minutes
    if train_with_progress(
        folder, source, settings.name, device=device, graph=graph, deadline=deadline
    ):
        report(folder)


def train_with_progress(
    folder: Path, source: Any, name: str, *, deadline: float | None = None, **options: Any
) -> bool:
    """Carry out a run with a live bar: step, rate, time left, losses.

    Past `deadline` (on the clock of `time.monotonic`) it saves, and says what remains.

    Returns:
        Whether it is done.
    """
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        TextColumn,
        TimeRemainingColumn,
    )

    from ganzoo import runs

    columns = (
        TextColumn("{task.description}"), BarColumn(16), MofNCompleteColumn(),
        TimeRemainingColumn(), TextColumn("{task.fields[losses]}"),
    )  # fmt: skip
    steps = runs.carry_out(folder, source, **options)
    with Progress(*columns, console=err, transient=False, refresh_per_second=4) as progress:
        bar = progress.add_task(name, total=None, losses="")
        shown = 0.0
        stopped = False
        first: tuple[int, float] | None = None

        def stop(*_: Any) -> None:
            """The first Ctrl-C lets the round end and saves; the second breaks off at once."""
            nonlocal stopped
            stopped = True
            signal.signal(signal.SIGINT, before)

        before = signal.signal(signal.SIGINT, stop)
        try:
            for step in steps:
                if stopped:
                    steps.close()
                    raise KeyboardInterrupt
                now = time.monotonic()
                first = first or (step.number, now)
                if deadline is not None and now > deadline and step.number < step.total:
                    steps.close()  # saves
                    progress.stop()
                    out.print(remaining(folder, step.number, step.total, first), markup=False)
                    return False
                if now - shown > 0.5 or step.number == step.total:
                    shown = now
                    losses = "  ".join(f"{k} {v:.3f}" for k, v in step.losses().items())
                    progress.update(bar, total=step.total, completed=step.number, losses=losses)
        except KeyboardInterrupt:
            progress.stop()
            err.print(f"stopped; go on with: ganzoo train --resume {folder}")
            raise
        finally:
            signal.signal(signal.SIGINT, before)
    return True


def remaining(folder: Path, number: int, total: int, first: tuple[int, float]) -> str:
    """What is left of a run that was stopped on time; `first` is a round and its time."""
    done = f"{number:,} of {total:,} rounds are done and saved"
    if number > first[0]:
        seconds = (time.monotonic() - first[1]) / (number - first[0]) * (total - number)
        done += f"; about {max(seconds / 60, 0.1):.1f} minutes remain"
    return f"{done}. Go on with: ganzoo train --resume {folder}"


def report(folder: Path) -> None:
    """Say where everything lies."""
    out.print(f"\nin {folder}:", markup=False)
    for name, words in (
        ("model/", "the trained model, for from_pretrained"),
        ("samples.png", "a sheet of samples"),
        ("losses.png", "the losses"),
        ("animation.gif", "the same latents while it learnt"),
        ("log.jsonl", "losses by step"),
        ("metrics.json", "speed and last losses"),
    ):
        if (folder / name).exists():
            out.print(f"  {name:<16}{words}", markup=False)
    out.print(f"\nganzoo sample {folder} -o samples.png draws with it", style="dim", markup=False)


@app.command()
def quickstart(
    folder: Annotated[Path, typer.Option("--out", help="Where everything goes.")] = Path(
        "quickstart"
    ),
    seconds: Annotated[float, typer.Option(min=1, help="About how long to train.")] = 60.0,
) -> None:
    """A trained model draws, then a small one learns."""
    from ganzoo.cli.quickstart import run

    run(folder, seconds)


def _folder_for(spec: Spec, data: str) -> str:
    """`folder:photos` with the size and channels that the Spec draws, where left open."""
    from ganzoo.spec.draws import Image

    images = [draw for draw in spec.draws.values() if isinstance(draw, Image)]
    if not data.startswith("folder:") or not images:
        return data
    for key, value in (("size", images[0].size), ("channels", images[0].channels)):
        if f",{key}=" not in data:
            data += f",{key}={value}"
    return data


def _plain(data: str) -> str:
    """The name of a data set as part of a run's name."""
    if data.startswith("folder:"):
        return Path(data.removeprefix("folder:").split(",")[0]).name or "data"
    return re.sub(r"[,=+]", "-", data)
