"""Commands that train."""

from __future__ import annotations

import signal
import time
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ganzoo.cli import completion
from ganzoo.cli.console import (
    DATA_HELP,
    Augment,
    DataName,
    Device,
    LossName,
    Setting,
    TrainingDevice,
    app,
    check_precision,
    err,
    fields,
    out,
)
from ganzoo.errors import SpecError

if TYPE_CHECKING:
    from ganzoo.spec.spec import Spec


@app.command()
def train(
    target: Annotated[
        str | None,
        typer.Argument(
            help="A variant, a Spec file, or a run file (`ganzoo init`).",
            autocompletion=completion.variants,
        ),
    ] = None,
    data: DataName = None,
    steps: Annotated[
        int | None, typer.Option(min=1, help="Number of rounds; default: the Spec's.")
    ] = None,
    epochs: Annotated[
        float | None, typer.Option(min=0, help="Passes over the data, instead of --steps.")
    ] = None,
    batch: Annotated[int | None, typer.Option(min=1, max=100_000, help="Batch size.")] = None,
    lr: Annotated[
        str | None,
        typer.Option(help="Learning rate, if the variant has one setting for it."),
    ] = None,
    set: Setting = None,
    loss: LossName = None,
    augment: Augment = None,
    seed: Annotated[int | None, typer.Option(help="Random seed; default 0.")] = None,
    start: Annotated[
        str | None,
        typer.Option(
            "--from",
            help="Start from the weights of another model, or of a run.",
            autocompletion=completion.models,
        ),
    ] = None,
    out_: Annotated[Path | None, typer.Option("--out", help="Folder for the run.")] = None,
    resume: Annotated[Path | None, typer.Option(help="Resume the run in this folder.")] = None,
    figure: Annotated[
        str | None,
        typer.Option(help="Measure it during training and keep the best model: fid, kid, ..."),
    ] = None,
    eval_every: Annotated[
        int | None, typer.Option(min=1, help="Rounds between measurements; default: a 20th of all.")
    ] = None,
    patience: Annotated[
        int | None,
        typer.Option(min=1, help="Stop after so many measurements without improvement."),
    ] = None,
    track: Annotated[
        list[str] | None,
        typer.Option(
            help="Also log to tensorboard, wandb or trackio: wandb,project=digits,mode=offline.",
            autocompletion=completion.trackers,
        ),
    ] = None,
    precision: Annotated[
        str | None,
        typer.Option(
            help="auto, fp32, tf32 (CUDA) or bf16; auto by default.",
            autocompletion=completion.one_of("auto", "fp32", "tf32", "bf16"),
        ),
    ] = None,
    device: TrainingDevice = None,
    graph: Annotated[
        bool | None, typer.Option("--graph/--no-graph", help="CUDA graphs; by default on CUDA.")
    ] = None,
    shared_norm: Annotated[
        bool,
        typer.Option(
            "--shared-norm/--own-norm",
            help="Under torchrun: batch norm over the global batch, or each process's share.",
        ),
    ] = True,
    accumulate: Annotated[
        int, typer.Option(min=1, help="Gradient accumulation: number of parts of a batch.")
    ] = 1,
    minutes: Annotated[
        float | None,
        typer.Option(min=0, help="Stop and save after this many minutes, to resume later."),
    ] = None,
    snapshots: Annotated[
        bool, typer.Option("--snapshots", help="Keep about 40 intermediate models.")
    ] = False,
    strict: Annotated[bool, typer.Option("--strict", help="Fail on an unreadable image.")] = False,
) -> None:
    """Train a variant, a Spec file or a run file."""
    from ganzoo import runs
    from ganzoo.cli.planning import planned, wanted_of
    from ganzoo.data import load
    from ganzoo.engine import distribution
    from ganzoo.engine.precision import how
    from ganzoo.nn.devices import find

    distribution.join_group()
    out.quiet = err.quiet = distribution.rank() > 0  # only process 0 prints
    begun = time.monotonic()
    if precision is not None:
        check_precision(precision)
    if resume is not None:
        taken = (
            target,
            data,
            epochs,
            batch,
            lr,
            set,
            loss,
            augment,
            start,
            out_,
            figure,
            eval_every,
        )
        if any(taken) or patience or track or snapshots or strict:
            raise SpecError(
                "--resume takes its settings from the run; only --steps (to make it longer), "
                "--device, --no-graph and --minutes are allowed with it"
            )
        find(device)
        folder, settings = resume, runs.Settings.read(resume)
        _agree(settings, seed, precision)
        settings = runs.extended(settings, steps) if steps else settings
        if runs.state(folder, settings) == "done":
            runs.tidy(folder)
            out.print(f"the run in {folder} is finished", markup=False)
            hint(folder, settings.spec)
            return
        runs.check_place(folder)
        source = distribution.first_here(lambda: load(settings.data))
    else:
        wanted = wanted_of(
            target, data=data, steps=steps, epochs=epochs, batch=batch, lr=lr, loss=loss,
            augment=augment, seed=seed, start=start, out=out_, figure=figure, eval_every=eval_every,
            patience=patience, track=track, precision=precision, device=device, minutes=minutes,
            snapshots=snapshots, strict=strict, settings=set,
        )  # fmt: skip
        device, minutes = wanted.device, wanted.minutes
        find(device)
        settings, source, folder = planned(wanted)
    err.print(source.report, style="dim", markup=False)
    way = how(device, settings.precision, graph=graph, accumulate=accumulate)  # type: ignore[arg-type]
    err.print(f"on {way}", style="dim", markup=False)
    for name, said in dict(settings.start.get("networks", {})).items():
        err.print(f"{name} from {settings.start['model']}: {said}", style="dim", markup=False)
    deadline = None if minutes is None else begun + 60 * minutes
    done = train_with_progress(
        folder, source, settings.name,
        settings=settings, device=device, graph=graph, shared_norm=shared_norm,
        accumulate=accumulate, deadline=deadline,
    )  # fmt: skip
    if done and distribution.rank() == 0:  # the others do not wait for its files
        report(folder, settings.spec)


@app.command()
def init(
    file: Annotated[Path, typer.Argument(help="The file to write.")] = Path("run.yaml"),
    variant: Annotated[
        str,
        typer.Option(help="A variant (`ganzoo variants`).", autocompletion=completion.variants),
    ] = "dcgan",
    data: Annotated[str, typer.Option(help=DATA_HELP, autocompletion=completion.data)] = "digits",
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Replace a file that is there.")
    ] = False,
) -> None:
    """Write a run file with comments, for `ganzoo train`."""
    from ganzoo.plugins.host import default
    from ganzoo.runs.run_file import template

    if file.suffix not in (".yaml", ".yml"):
        raise SpecError(f"{file}: a run file ends in .yaml")
    made = default().variant(variant).parse({})
    spec = made.spec(fields(data))
    text = template(variant, data, made.model_dump(mode="json"), spec.steps, spec.batch)
    try:
        with file.open("w" if overwrite else "x", encoding="utf-8") as stream:
            stream.write(text)
    except FileExistsError:
        raise SpecError(f"{file} already exists; give another file, or --overwrite") from None
    except OSError as error:
        raise SpecError(f"{file} cannot be written ({error.strerror})") from None
    out.print(f"{file}: edit it, then ganzoo train {file}", markup=False)


def _agree(settings: Any, seed: int | None, precision: str | None) -> None:
    """Raise SpecError if an option contradicts the run that is resumed."""
    for word, given, has in (
        ("seed", seed, settings.seed),
        ("precision", precision, settings.precision),
    ):
        if given not in (None, has) and "auto" not in (given, has):
            raise SpecError(
                f"--{word} {given}: the run has {word} {has}, which cannot change; leave it out, "
                "or start another run"
            )


INTERRUPT = 2
"""A request to stop that takes precedence over the deadline."""


def train_with_progress(
    folder: Path, source: Any, name: str, *, deadline: float | None = None, **options: Any
) -> bool:
    """Execute a run with a progress bar: step, speed, time left, losses.

    On Ctrl-C, SIGTERM and a closed terminal, the round is completed and a checkpoint saved; a
    second signal stops at once. After `deadline` (on the clock of `time.monotonic`) the run is
    saved, and the remaining time is printed.

    Returns:
        Whether the run is finished.
    """
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        TextColumn,
        TimeRemainingColumn,
    )
    from rich.table import Column

    from ganzoo import runs
    from ganzoo.engine.distribution import Votes

    stop_together = Votes()
    columns = (
        TextColumn("{task.description}"), BarColumn(16), MofNCompleteColumn(),
        TimeRemainingColumn(),
        # where a line is too short, losses are cut, and not the number of the round
        TextColumn(
            "{task.fields[losses]}",
            table_column=Column(ratio=1, no_wrap=True, overflow="ellipsis"),
        ),
    )  # fmt: skip

    def said(text: str) -> None:
        err.print(text, style="dim", markup=False)

    steps = runs.carry_out(folder, source, note=said, **options)
    with (
        _warnings_said(),
        Progress(*columns, console=err, refresh_per_second=4, expand=True) as progress,
        _stopped_by_signals() as stopped,
    ):
        bar = progress.add_task(name, total=None, losses="")
        shown = 0.0
        first: tuple[int, float] | None = None
        try:
            for step in steps:
                last = step.number == step.total
                now = time.monotonic()
                first = first or (step.number, now)
                if now - shown > 0.5 or last:
                    shown = now
                    losses = "  ".join(f"{k} {v:.3f}" for k, v in step.losses().items())
                    progress.update(bar, total=step.total, completed=step.number, losses=losses)
                late = deadline is not None and now > deadline
                stop = stop_together(INTERRUPT if stopped else late)
                if last or not stop:
                    continue
                steps.close()  # saves
                if stop == INTERRUPT:
                    raise KeyboardInterrupt
                progress.stop()
                out.print(remaining(folder, step.number, step.total, first), markup=False)
                return False
        except KeyboardInterrupt:
            progress.stop()
            err.print(f"stopped; continue with: ganzoo train --resume {folder}", markup=False)
            if stopped and stopped[0] != signal.SIGINT:
                raise typer.Exit(128 + stopped[0]) from None
            raise
    return True


def remaining(folder: Path, number: int, total: int, first: tuple[int, float]) -> str:
    """The remainder of a run that reached its deadline; `first` is a round and its time."""
    done = f"{number:,} of {total:,} rounds are done and saved"
    if number > first[0]:
        seconds = (time.monotonic() - first[1]) / (number - first[0]) * (total - number)
        done += f"; about {max(seconds / 60, 0.1):.1f} minutes remain"
    return f"{done}. Continue with: ganzoo train --resume {folder}"


@contextmanager
def _stopped_by_signals() -> Iterator[list[int]]:
    """The signals to stop, as they arrive; the second time, the previous handler is called."""
    came: list[int] = []
    asked = [getattr(signal, name, None) for name in ("SIGINT", "SIGTERM", "SIGHUP")]
    # ignored signals stay ignored: nohup
    before = {
        number: signal.getsignal(number)
        for number in asked
        if number is not None and signal.getsignal(number) is not signal.SIG_IGN
    }

    def note(number: int, frame: Any) -> None:
        came.append(number)
        signal.signal(number, before[number])

    for number in before:
        signal.signal(number, note)
    try:
        yield came
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@contextmanager
def _warnings_said() -> Iterator[None]:
    """Print the reasons why a resumed run will not be identical, bit for bit."""
    from ganzoo.engine.identity import OtherBits

    with warnings.catch_warnings():
        usual = warnings.showwarning

        def said(message: Warning | str, category: type[Warning], *place: Any) -> None:
            if issubclass(category, OtherBits):
                err.print(f"warning: {message}", style="yellow", markup=False)
            else:
                usual(message, category, *place)

        warnings.simplefilter("always", OtherBits)
        warnings.showwarning = said
        yield


def report(folder: Path, spec: Spec) -> None:
    """Print the files of a run, and the next command."""
    from ganzoo.models import store
    from ganzoo.runs import shown

    out.print(f"\nin {folder}:", markup=False)
    chosen = store.read_config(folder / "model").training.selection
    which = (
        f", as it was at round {chosen.step:,} of {chosen.rounds:,}, the best by {chosen.figure}"
        if chosen
        else ""
    )
    translates = not shown(spec)
    for name, words in (
        ("model/", f"the trained model, for from_pretrained{which}"),
        ("last/", "the model of the last round"),
        ("samples.png", "pictures above translations" if translates else "a sheet of samples"),
        ("losses.png", "the losses"),
        (
            "animation.gif",
            f"{'translations' if translates else 'samples of fixed latents'} during training",
        ),
        ("log.jsonl", "the data, and losses by step"),
        ("metrics.json", "speed and last losses"),
    ):
        if (folder / name).exists():
            out.print(f"  {name:<16}{words}", markup=False)
    out.print()
    hint(folder, spec)


HINTS = {
    "generate": ("sample {}{given} -o samples.png", "draws samples"),
    "score": ("score {} PICTURES{given}", "computes anomaly scores"),
    "translate": ("translate {} PICTURE --to {to}{given} -o there.png", "translates pictures"),
    "reconstruct": ("reconstruct {} PICTURE{given} -o pairs.png", "encodes and decodes pictures"),
    "encode": ("eval {}", "measures it"),
}
"""Commands for the tasks of a model; the first that applies is shown."""


def hint(folder: Path, spec: Spec) -> None:
    """Print the next command for the tasks of a model."""
    from ganzoo.models.example_inputs import as_options

    for kind, (command, words) in HINTS.items():
        task = next((task for task in spec.tasks.values() if task.kind == kind), None)
        if task is not None:
            line = command.format(folder, to=task.to, given=as_options(spec, task))
            out.print(f"ganzoo {line} {words}", style="dim", markup=False)
            return


@app.command()
def save(
    run: Annotated[Path, typer.Argument(help="Folder of a run, finished or stopped.")],
    folder: Annotated[Path, typer.Argument(help="Folder for the model.")],
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Replace an existing model.")
    ] = False,
    device: Device = "cpu",
) -> None:
    """Save the model of a run to a folder.

    If the run was stopped, that is the model in its checkpoint.
    """
    from ganzoo import runs
    from ganzoo.models import store

    runs.check_place(folder)
    model, which = runs.trained(run, device=device)
    with runs.writing(folder):
        store.save(model, folder, overwrite=overwrite)
    out.print(f"{folder}: the model of {run}, {which}", markup=False)


@app.command()
def quickstart(
    folder: Annotated[Path, typer.Option("--out", help="Output folder.")] = Path("quickstart"),
    seconds: Annotated[float, typer.Option(min=1, help="Approximate training time.")] = 60.0,
    device: TrainingDevice = None,
) -> None:
    """Generate with a trained model, then train a small one."""
    from ganzoo.cli.quickstart import run

    run(folder, seconds, device)
