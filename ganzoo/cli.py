"""The command line: `ganzoo`. Heavy imports wait until a command needs them."""

from __future__ import annotations

import os
import re
import signal
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

from ganzoo.errors import DataError, GanzooError, SpecError, UnknownNameError

if TYPE_CHECKING:
    from ganzoo.spec.spec import Spec
    from ganzoo.spec.variant import Fields

app = typer.Typer(
    name="ganzoo",
    help="A zoo of GANs in which a model is data: list, explain, train and sample.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
out = Console(highlight=False, soft_wrap=True)
err = Console(stderr=True, highlight=False, soft_wrap=True)

Target = Annotated[str, typer.Argument(help="A variant, or a YAML or JSON file with a Spec.")]
Setting = Annotated[
    list[str] | None,
    typer.Option("--set", help="A hyper-parameter, such as width=32; may be given again."),
]
PICTURES = (".png", ".jpg", ".jpeg", ".webp")
"""Endings of the pictures that can be written."""
DATA_HELP = (
    "A data set (`ganzoo data`), mnist,without=2 to leave classes out of training, or "
    "folder:PATH[,size=64][,channels=3][,flip]."
)


def main() -> None:
    """Run the command line; ganzoo's errors become one clear message and exit code 2."""
    # before torch starts its threads: ones that spin while they wait stall each other whenever
    # the machine has anything else to do, several times over
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    try:
        code = app(standalone_mode=False)  # what a typer.Exit or Ctrl-C came to, else None
    except GanzooError as error:
        err.print(f"error: {error}", style="bold red", markup=False)
        sys.exit(2)
    except (KeyboardInterrupt, typer.Abort):
        sys.exit(130)
    except Exception as error:
        show = getattr(error, "show", None)  # click's own usage errors
        if show is None:
            raise
        show()
        code = getattr(error, "exit_code", 2)
    sys.exit(code)


def _version(wanted: bool) -> None:
    if wanted:
        from importlib.metadata import version

        print(f"ganzoo {version('ganzoo')}")
        raise typer.Exit


@app.callback()
def ganzoo(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Show it and stop.")
    ] = False,
) -> None:
    """A zoo of GANs in which a model is data: list, explain, train and sample."""


# ----------------------------------------------------------------------------- listings


@app.command()
def variants() -> None:
    """List the variants that the installed plugins bring."""
    from ganzoo.host import default

    host = default()
    table = _table("variant", "what it is", "from")
    for name, variant in sorted(host.variants.items()):
        table.add_row(name, variant.summary(), host.providers["variants", name])
    out.print(table)
    _mention_broken(host)
    out.print("\nganzoo show NAME for its mathematics, ganzoo train NAME to train it", style="dim")


@app.command()
def models() -> None:
    """List the models that come with ganzoo, ready to use."""
    from ganzoo.hub import entries

    table = _table("model", "what it is", "trained on", "it can", "size")
    for entry in entries():
        tasks = ", ".join(entry.tasks)
        table.add_row(entry.name, entry.title, entry.data, tasks, f"{entry.size / 1e6:.1f} MB")
    out.print(table)
    out.print("\nganzoo sample NAME -o samples.png draws with one", style="dim")


@app.command()
def data() -> None:
    """List the data sets that can be trained on."""
    from ganzoo.host import default

    table = _table("data set", "images", "fields", "what it is")
    for name, declared in default().data.items():
        fields = ", ".join(declared.fields.fields)
        table.add_row(name, f"{declared.size:,}", fields, declared.summary)
    table.add_row("folder:PATH", "", "image", "Pictures of your own: jpg, png, webp, bmp, gif.")
    out.print(table)


@app.command()
def plugins() -> None:
    """List the plugins: what each brings, and what is broken."""
    from ganzoo.host import default

    table = _table("plugin", "version", "brings")
    for plugin in default().plugins:
        brings = "; ".join(f"{word}: {', '.join(names)}" for word, names in plugin.brings.items())
        state = (
            f"[bold red]broken:[/] {_escape(plugin.problem)}" if plugin.problem else _escape(brings)
        )
        table.add_row(plugin.distribution, plugin.version, state or "nothing")
    out.print(table)


# ------------------------------------------------------------------------- looking at one


@app.command()
def show(
    target: Annotated[str | None, typer.Argument(help="A variant or a Spec file.")] = None,
    data: Annotated[str | None, typer.Option(help=DATA_HELP)] = None,
    set: Setting = None,
    json: Annotated[bool, typer.Option("--json", help="The Spec as JSON.")] = False,
    latex: Annotated[bool, typer.Option("--latex", help="The losses as LaTeX.")] = False,
    schema: Annotated[bool, typer.Option("--schema", help="The JSON Schema of all Specs.")] = False,
) -> None:
    """Show a Spec: as mathematics, as data, or as LaTeX."""
    from ganzoo.spec import mathematics
    from ganzoo.spec.spec import Spec, pretty_json

    if schema:
        print(pretty_json(Spec.model_json_schema()))
        return
    if target is None:
        raise UnknownNameError("show what? Give a variant (`ganzoo variants`) or a Spec file")
    spec, _ = _declared(target, data, set)
    if json:
        print(spec.to_json())
    elif latex:
        print(mathematics.latex(spec))
    else:
        out.print(mathematics.text(spec), markup=False)


@app.command()
def check(
    target: Target,
    data: Annotated[str | None, typer.Option(help=DATA_HELP)] = None,
    set: Setting = None,
) -> None:
    """Validate a Spec and dry-run it, without training."""
    from ganzoo.explain import explain as explain_

    spec, _ = _declared(target, data, set)
    rounds = explain_(spec)
    from ganzoo.build import build, parameter_count

    table = _table("network", "parameters", "takes")
    for name, net in build(spec).items():
        shapes = ", ".join(
            f"{word} {'x'.join(map(str, shape)) or 'label'}"
            for word, shape in zip(net.names, net.shapes, strict=True)
        )
        table.add_row(name, f"{parameter_count(net):,}", shapes)
    out.print(table)
    out.print(
        f"{target} is sound: {len(rounds)} kind(s) of round, no shape is wrong", style="green"
    )


@app.command()
def explain(
    target: Target,
    data: Annotated[str | None, typer.Option(help=DATA_HELP)] = None,
    set: Setting = None,
    code: Annotated[bool, typer.Option("--code", help="The Python that a round runs.")] = False,
) -> None:
    """Show what a training round runs, shares and costs."""
    from ganzoo.explain import explain as explain_

    spec, _ = _declared(target, data, set)
    for item in explain_(spec):
        title = ", ".join(filter(None, (f"stage {item.stage}", item.pattern)))
        if code:
            print(f"# {title}\n{item.round.code}")
            continue
        out.print(f"[bold]{title}[/]: {len(item.round.executions)} updates in a round")
        table = _table(
            "network", "passes", "plain loop", "it learns", "gradients pass", "no graph", "penalty"
        )
        for name, passes in item.passes.items():
            table.add_row(
                name, *map(str, (passes.total, item.plain_passes[name], passes.trained)),
                *map(str, (passes.through, passes.free, passes.penalty)),
            )  # fmt: skip
        out.print(table)
        share = item.flops / item.plain_flops if item.plain_flops else 1.0
        out.print(
            f"{_flops(item.flops)} a round of batch {spec.batch}; a loop that shares nothing and "
            f"takes all gradients: {_flops(item.plain_flops)} ({share:.0%})\n"
        )
    if not code:
        out.print("ganzoo explain --code shows the Python that runs", style="dim")


# ------------------------------------------------------------------- training and sampling


@app.command()
def train(
    target: Annotated[str | None, typer.Argument(help="A variant or a Spec file.")] = None,
    data: Annotated[str | None, typer.Option(help=DATA_HELP)] = None,
    steps: Annotated[int | None, typer.Option(min=1, help="Rounds; the Spec's by default.")] = None,
    batch: Annotated[int | None, typer.Option(min=1, help="Samples in a batch.")] = None,
    set: Setting = None,
    seed: Annotated[int, typer.Option(help="Of everything random.")] = 0,
    out_: Annotated[Path | None, typer.Option("--out", help="Folder of the run.")] = None,
    resume: Annotated[Path | None, typer.Option(help="Go on with the run in this folder.")] = None,
    precision: Annotated[str, typer.Option(help="auto, fp32 or bf16.")] = "auto",
    device: Annotated[str | None, typer.Option(help="cpu, cuda, cuda:1, ...")] = None,
    compile: Annotated[bool, typer.Option("--compile", help="Use torch.compile.")] = False,
    snapshots: Annotated[
        bool, typer.Option("--snapshots", help="Keep about 40 models on the way.")
    ] = False,
) -> None:
    """Train a variant or a Spec file."""
    from ganzoo import runs

    if resume is not None:
        if target or data or batch or set or out_ or compile or snapshots:
            raise SpecError(
                "--resume takes everything from the run; give only --resume FOLDER, and --steps to "
                "make it longer"
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
        spec, made_by = _declared(target, data, set)
        data = _folder_for(spec, data)
        name = Path(target).stem if made_by["variant"] == "" else made_by["variant"]
        settings = runs.Settings(
            name=f"{name}-{_plain(data)}", spec=spec, data=data,
            steps=steps or spec.steps, batch=batch or spec.batch, seed=seed,
            precision=precision, compile=compile, snapshots=snapshots, made_by=made_by,
        )  # fmt: skip
        folder = out_ or Path("runs") / settings.name
    from ganzoo.data import load

    source = load(settings.data)
    if resume is None:
        runs.start(folder, settings)
    train_with_progress(folder, source, settings.name, device=device)
    report(folder)


def train_with_progress(folder: Path, source: Any, name: str, **options: Any) -> None:
    """Carry out a run with a live bar: step, rate, time left, losses."""
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
                now = progress.get_time()
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
def sample(
    model: Annotated[str, typer.Argument(help="A model (`ganzoo models`), or a folder.")],
    n: Annotated[int, typer.Option("-n", min=1, max=10_000, help="How many.")] = 64,
    seed: Annotated[int, typer.Option(help="Of the noise.")] = 0,
    output: Annotated[Path, typer.Option("-o", "--output", help="The picture.")] = Path(
        "samples.png"
    ),
    label: Annotated[int | None, typer.Option(help="The class, for conditional models.")] = None,
    text: Annotated[
        list[str] | None,
        typer.Option(help="What to draw, for models that take sentences; may be given again."),
    ] = None,
    task: Annotated[str | None, typer.Option(help="The task, where there are several.")] = None,
) -> None:
    """Draw samples of a model as one sheet.

    Of several texts, each is drawn in turn.
    """
    from ganzoo import pictures
    from ganzoo.hub import from_pretrained
    from ganzoo.runs import samples

    _check_output(output, "the sheet", PICTURES)
    loaded = from_pretrained(model)
    given: dict[str, Any] = {} if label is None else {"label": label}
    if text:
        given["text"] = [text[index % len(text)] for index in range(n)]
    if given:
        images = loaded.generate(n, seed=seed, output="pt", task=task, **given)
    else:
        images = samples(loaded, n, seed, task=task)
    pictures.save_sheet(images, output)
    out.print(f"{n} samples of {loaded.title}, seed {seed}: {output}", markup=False)


@app.command()
def reconstruct(
    model: Annotated[str, typer.Argument(help="A model (`ganzoo models`), or a folder.")],
    files: Annotated[list[Path], typer.Argument(metavar="PICTURE", help="Picture files.")],
    output: Annotated[Path, typer.Option("-o", "--output", help="The sheet.")] = Path(
        "reconstructions.png"
    ),
    seed: Annotated[int, typer.Option(help="Of the noise, where the model draws some.")] = 0,
) -> None:
    """Encode and decode pictures, as pairs on one sheet."""
    _check_pairs(output, files)
    from ganzoo.files import reconstructions
    from ganzoo.hub import from_pretrained

    loaded = from_pretrained(model)
    _save_pairs(*reconstructions(loaded, files, seed), output, loaded.title)


@app.command()
def translate(
    model: Annotated[str, typer.Argument(help="A model (`ganzoo models`), or a folder.")],
    files: Annotated[list[Path], typer.Argument(metavar="PICTURE", help="Picture files.")],
    to: Annotated[str, typer.Option(help="The domain, such as b.")],
    output: Annotated[Path, typer.Option("-o", "--output", help="The sheet.")] = Path(
        "translations.png"
    ),
    seed: Annotated[int, typer.Option(help="Of the noise, where the model draws some.")] = 0,
) -> None:
    """Bring pictures to another domain, as pairs on one sheet."""
    _check_pairs(output, files)
    from ganzoo.files import translations
    from ganzoo.hub import from_pretrained

    loaded = from_pretrained(model)
    _save_pairs(*translations(loaded, files, to, seed), output, loaded.title, f" in {to}")


def _check_pairs(output: Path, files: list[Path]) -> None:
    """Raise where the sheet cannot be written, or would be written over a picture."""
    _check_output(output, "the sheet", PICTURES)
    if output.exists() and any(file.exists() and output.samefile(file) for file in files):
        raise DataError(f"-o {output}: this is one of the pictures; give the sheet another name")


def _save_pairs(originals: Any, made: Any, output: Path, title: str, where: str = "") -> None:
    """Write the sheet, and say what is on it."""
    from ganzoo import pictures

    pictures.save_pairs(originals, made, output)
    number = len(originals)
    what, it = ("1 picture", "it") if number == 1 else (f"{number} pictures", "them")
    out.print(f"{what} above what {title} makes of {it}{where}: {output}", markup=False)


@app.command()
def score(
    model: Annotated[str, typer.Argument(help="A model (`ganzoo models`), or a folder.")],
    files: Annotated[
        list[Path], typer.Argument(metavar="PICTURE", help="Picture files, or folders of them.")
    ],
    csv: Annotated[Path | None, typer.Option(help="A table of all: file, score, verdict.")] = None,
    maps: Annotated[
        Path | None, typer.Option(help="A folder for heat maps: what is strange glows.")
    ] = None,
    task: Annotated[str | None, typer.Option(help="The task, where there are several.")] = None,
) -> None:
    """Say how strange pictures are; the strangest are listed first.

    A picture that cannot be read is named at the end, and stops no other.
    """
    from rich.progress import track

    from ganzoo import files as files_
    from ganzoo.data.folder import pictures_in
    from ganzoo.hub import from_pretrained

    found = [one for file in files for one in (pictures_in(file) if file.is_dir() else [file])]
    if csv is not None:
        _check_output(csv, "the table", (".csv",), "--csv")
    if maps is not None and maps.exists() and not maps.is_dir():
        raise DataError(f"--maps {maps}: this is a file; give a folder")
    loaded = from_pretrained(model)
    scored = files_.scored(loaded, found, task=task, maps=maps is not None)
    rows: list[files_.Scored] = []
    for row in track(
        scored, "scoring", total=len(found), console=err, disable=len(found) < 2, transient=True
    ):
        rows.append(row)
        if maps is not None:
            files_.save_heat_map(row, maps, len(rows))
    if csv is not None:
        files_.write_csv(rows, csv)
    _scores(rows, loaded.thresholds.get(task or next(iter(loaded.tasks("score")))))
    for place, what in ((csv, "scores"), (maps, "heat maps")):
        if place is not None:
            out.print(f"{what}: {place}", markup=False)
    unread = [row for row in rows if row.score is None]
    for row in unread:
        err.print(f"not scored: {row.error}", style="red", markup=False)
    if unread:
        raise typer.Exit(1)


def _scores(rows: list[Any], threshold: float | None, most: int = 20) -> None:
    """The strangest of scored files as a table, and how many there are."""
    known = sorted((row for row in rows if row.score is not None), key=lambda row: -row.score)
    if not known:
        return
    table = _table("picture", "score", "verdict")
    for row in known[:most]:
        verdict = {None: "", True: "strange", False: "normal"}[row.is_anomaly]
        table.add_row(_escape(str(row.file)), f"{row.score:.4g}", verdict)
    out.print(table)
    if len(known) > most:
        out.print(f"and {len(known) - most:,} that are less strange", markup=False)
    if threshold is not None:
        strange = sum(bool(row.is_anomaly) for row in known)
        out.print(
            f"{strange:,} of {len(known):,} above the threshold {threshold:.4g}", markup=False
        )


@app.command()
def compare(
    models: Annotated[
        list[str], typer.Argument(metavar="MODEL", help="Two or more, or their folders.")
    ],
    output: Annotated[Path, typer.Option("-o", "--output", help="A .html or .png.")] = Path(
        "compare.html"
    ),
) -> None:
    """Put samples and figures of models side by side."""
    _check_output(output, "the comparison", (".html", ".png"))
    if len(models) < 2:
        raise UnknownNameError(
            f"compare {models[0]} with what? Give two models or more (`ganzoo models`)"
        )
    from ganzoo import compare as compare_

    columns = [compare_.column(name) for name in models]
    compare_.save(columns, output)
    for one in columns:
        if one.stale:
            err.print(f"{one.name}: {one.measured}", style="yellow", markup=False)
    out.print(f"{', '.join(one.name for one in columns)}: {output}", markup=False)


@app.command("eval")
def evaluate(
    model: Annotated[str, typer.Argument(help="A model (`ganzoo models`), or a folder.")],
    data: Annotated[
        str | None, typer.Option(help="A data set; by default the one it was trained on.")
    ] = None,
    n: Annotated[int, typer.Option("-n", min=100, help="Real and generated images each.")] = 10_000,
    seed: Annotated[int, typer.Option(help="Of the samples and all else random.")] = 0,
    json: Annotated[bool, typer.Option("--json", help="The report as JSON, no table.")] = False,
) -> None:
    """Measure a model: a table, and metrics.json beside it.

    The figures of a model that came with ganzoo are compared and never written over.
    """
    from ganzoo import hub, runs, store
    from ganzoo.metrics import evaluate as evaluate_
    from ganzoo.metrics import history, report

    folder = hub.resolve(model)
    loaded = store.load(folder)
    bundled = folder in hub.bundled().values() and not Path(model).is_dir()
    with err.status(f"measuring {loaded.title}") as status:

        def note(text: str) -> None:
            status.update(f"measuring {loaded.title}: {text}")

        trained = data or loaded.config.get("data", {}).get("name", "")
        of_a_run = folder.name == "model" and (folder.parent / runs.RUN).is_file()
        course = runs.course(folder.parent, trained, note) if of_a_run else history.read(folder)
        found = evaluate_(loaded, data or "", count=n, seed=seed, history=course, note=note)
    if json:
        print(found.text())
    else:
        _figures(found)
    said = report.read(folder)
    if not bundled:
        found.write(folder)
        if not json:
            out.print(f"\nkept in {folder / report.FILE}", style="dim", markup=False)
    elif said and said.protocol == found.protocol:
        drifted = report.drift(said, found)
        for name, (then, now) in drifted.items():
            err.print(f"{name}: published as {then:g}, and here {now:g}", style="yellow")
        if not drifted and not json:
            out.print("\nas published", style="green")


def _figures(found: Any) -> None:
    table = _table("figure", "value", "", "beside it", "what it is")
    words = {"lower": "lower is better", "higher": "higher is better", "": ""}
    for name, figure in found.figures.items():
        beside = ", ".join(f"{key} {value:.4g}" for key, value in figure.references.items())
        table.add_row(
            name.replace("_", " "),
            f"{figure.value:.4g}",
            words[figure.better],
            beside,
            figure.about,
        )
    out.print(table)
    judge = f", judge {found.judge['name']} {found.judge['sha256'][:12]}" if found.judge else ""
    figures = found.figures.values()
    out.print(
        f"\n{found.model} on {found.data} ({found.split}), "
        f"{max(f.real for f in figures):,} real and {max(f.generated for f in figures):,} "
        f"generated images, seed {found.seed}{judge}",
        style="dim",
        markup=False,
    )


@app.command()
def quickstart(
    folder: Annotated[Path, typer.Option("--out", help="Where everything goes.")] = Path(
        "quickstart"
    ),
    seconds: Annotated[float, typer.Option(min=1, help="About how long to train.")] = 60.0,
) -> None:
    """A trained model draws, then a small one learns."""
    from ganzoo.quickstart import run

    run(folder, seconds)


# ------------------------------------------------------------------------------- pieces


def _declared(
    target: str, data: str | None, settings: list[str] | None
) -> tuple[Spec, dict[str, Any]]:
    """The Spec of a variant or of a file, and what config.json says of its making."""
    from ganzoo.host import default
    from ganzoo.spec import files

    if files.is_file_name(target):
        if settings:
            raise SpecError("--set is for variants; a Spec file says everything itself")
        return files.read(target), {"variant": "", "file": Path(target).name}
    host = default()
    variant = host.variant(target)
    given: dict[str, str] = {}
    for item in settings or []:
        name, equals, value = item.partition("=")
        if not equals:
            raise SpecError(f"--set {item}: write name=value, such as width=32")
        given[name] = value
    made = variant.parse(given)
    plugin = host.providers["variants", target]
    version = next((p.version for p in host.plugins if p.distribution == plugin), "")
    spec = made.spec(_fields(data or "mnist"))
    made_by = {
        "variant": target, "settings": made.model_dump(mode="json"),
        "plugin": plugin, "plugin_version": version,
    }  # fmt: skip
    return spec, made_by


def _check_output(output: Path, what: str, endings: tuple[str, ...], option: str = "-o") -> None:
    """DataError unless a file with one of these endings can be written there."""
    if output.suffix.lower() not in endings:
        *others, last = (ending for ending in endings if ending != ".jpeg")
        listed = f"{', '.join(others)} or {last}" if others else last
        raise DataError(f"{option} {output}: {what} is a {listed}")
    if not output.parent.is_dir():
        raise DataError(f"{option} {output}: there is no folder {output.parent}")
    if output.is_dir():
        raise DataError(f"{option} {output}: this is a folder; name a file in it")


def _fields(data: str) -> Fields:
    from ganzoo.data.catalog import fields_of
    from ganzoo.host import default

    return fields_of(data, default().data)


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


def _mention_broken(host: Any) -> None:
    for plugin in host.broken:
        err.print(
            f"not loaded: {plugin.distribution} ({plugin.problem})", style="yellow", markup=False
        )


def _table(*columns: str) -> Table:
    from rich import box

    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, show_edge=False)
    for column in columns:
        table.add_column(column)
    return table


def _escape(text: str) -> str:
    from rich.markup import escape

    return escape(text)


def _flops(number: int) -> str:
    for unit, size in (("TFLOP", 1e12), ("GFLOP", 1e9), ("MFLOP", 1e6)):
        if number >= size:
            return f"{number / size:.2f} {unit}"
    return f"{number} FLOP"
