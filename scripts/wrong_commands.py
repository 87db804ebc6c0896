"""Wrong commands by the hundred: each ends in a message, status 1 or 2, and no traceback.

    python scripts/wrong_commands.py            300 of them
    python scripts/wrong_commands.py --all      every one that is made here

The commands and their options are read off the command line itself, so that a new one is tried
without a word here. All run in this process, in a folder of broken things, without a network.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import itertools
import json
import os
import random
import shutil
import signal
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

PATIENCE = 120
"""Seconds after which a command hangs."""
CONTROL = "\x1b[31mred\x07"
NAMES = (
    "nosuch", "", " ", "..", "/", "a/b/c", "nosuch/nosuch", "org/name@", "hf://", "hf://x", "gan@1",
    "x" * 5000, CONTROL, "\udcff", "gan ", "GAN", "-", "--", "missing.yaml", "folder.yaml",
    "binary.yaml", "fifo.yaml", "huge.yaml", "list.yaml", "twice.json", "deep.json", "half.json",
    "number.json", "empty.yaml", "tagged.yaml", "spec.toml",
)  # fmt: skip
"""What stands for no variant and no Spec."""
MODELS = (
    "nosuch", "", "..", "org/nosuch", "hf://org/nosuch", "x" * 5000, CONTROL, "file.txt", "fifo",
    "nothing", "fifo-config", "folder-config", "link-config", "cut-config", "cut-weights",
    "no-weights", "fifo-weights", "nan-weights", "other-weights", "a-run", "runs/nosuch",
)  # fmt: skip
OUTPUTS = (
    "", "/", ".", "x", "x.txt", "missing/x.png", "folder.png", "/sys/x.png", "/dev/full",
    "/dev/null/x.png", "x" * 300 + ".png", "\udcff", "file.txt/x.png", "full.png",
)  # fmt: skip
FOLDERS = ("/", ".", "folder.png")
"""Those of them that are folders."""
DATA = (
    "nosuch", "", ",", "digits,", "digits,x", "digits,x=1", "digits,without=", "digits,without=99",
    "digits,without=x", "folder:", "folder:missing", "folder:file.txt", "folder:nothing",
    "folder:texts", "folder:pictures,size=x", "folder:pictures,size=-1", "folder:pictures,size=0",
    "folder:pictures,size=99999999", "folder:pictures,channels=7", "folder:pictures,nosuch=1",
    "folder:fifo", "mnist+", CONTROL, "\udcff", "x" * 5000,
)  # fmt: skip
SETTINGS = (
    "", "=", "=1", "width", "nosuch=1", "width=", "width=x", "width=-1", "width=0", "width=1e999",
    "width=nan", "width=1.5", "width=99999999999", "lr=0", "lr=-1", "lr=inf", "width=[1]", CONTROL,
)  # fmt: skip
LOSSES = (
    "nosuch", "", ",", "hinge,", "hinge,x", "hinge,nosuch=1", "rpgan,gamma=x", "rpgan,gamma=nan",
    "hinge,repeat=0", "hinge,repeat=x", "missing.yaml", "binary.yaml", "list.yaml", CONTROL,
)  # fmt: skip
NUMBERS = ("x", "", "1.5", "-99999999999999999999", "nan", "1e3", "٣x", "0x10", "None")
DEVICES = ("cuda", "cuda:99", "gpu", "", "nosuch", "meta", CONTROL)
PICTURES = ("missing.png", "file.txt", "broken.png", "fifo.png", "empty.png", "nothing", "\udcff")
RUNS = (
    "missing", "nothing", "file.txt", "broken-run", "empty-run", "list-run", "fifo-run", "a-run",
)  # fmt: skip


@dataclass(frozen=True)
class Outcome:
    """What came of a command; `fault` is empty where it ended as it must."""

    words: tuple[str, ...]
    status: int | None
    said: str
    seconds: float
    fault: str


def commands() -> dict[tuple[str, ...], Any]:
    """Every command of the application with its click object, by the words that call it."""
    import typer

    from ganzoo.cli import app

    found: dict[tuple[str, ...], Any] = {}
    pending: list[tuple[tuple[str, ...], Any]] = [((), typer.main.get_command(app))]
    while pending:
        words, command = pending.pop()
        inner = getattr(command, "commands", None)
        if inner is None:
            found[words] = command
        else:
            pending += [((*words, name), one) for name, one in inner.items()]
    return dict(sorted(found.items()))


def wrong_usages() -> Iterator[tuple[str, ...]]:
    """What the parser of the command line itself must refuse."""
    yield ("nosuch",)
    yield ("--nosuch",)
    yield ("hub", "nosuch")
    yield (CONTROL,)
    for words, command in commands().items():
        yield (*words, "--nosuch")
        yield (*words, "--nosuch=1")
        yield (*words, "-Z")
        required = [p for p in command.params if p.param_type_name == "argument" and p.required]
        if required:
            yield words
        else:
            yield (*words, *["extra"] * 9)
        for option in command.params:
            if option.param_type_name == "argument":
                continue
            name = option.opts[-1]
            if option.is_flag:
                yield (*words, f"{name}=maybe")
                continue
            yield (*words, name)
            kind = _kind(option)
            if kind in ("int", "float"):
                for number in NUMBERS:
                    if kind == "float" and number in ("1.5", "1e3", "nan"):
                        continue
                    yield (*words, *["x"] * len(required), f"{name}={number}")


def _kind(option: Any) -> str:
    """The name of the type that an option takes, in one version of typer or another."""
    if hasattr(option, "bare_type"):
        return str(option.bare_type())
    name = getattr(getattr(option, "type", None), "name", "")
    return "int" if name.startswith("integer") else name.split()[0] if name else ""


def wrong_values() -> Iterator[tuple[str, ...]]:
    """Words of the right kind that mean nothing, or something broken."""
    for name in NAMES:
        for command in ("show", "check", "explain"):
            yield (command, "--", name)
        yield ("train", "--data", "digits", "--steps", "1", "--out", "out", "--", name)
    for model in MODELS:
        yield ("sample", "-o", "out.png", "--", model)
        yield ("reconstruct", "-o", "out.png", "--", model, "pictures/0.png")
        yield ("score", "--", model, "pictures/0.png")
        yield ("eval", "-n", "100", "--", model)
        yield ("compare", "-o", "out.html", "--", "gan-mnist", model)
        if not model.endswith("-weights"):
            yield ("show", "--", model)
            yield ("hub", "info", "--offline", "--", model)
        if "-" not in model:
            yield ("hub", "path", "--offline", "--", model)
        yield ("hub", "verify", "--offline", "--no-figures", "--", model)
        yield ("hub", "push", "--dry-run", "--", model, "org/name")
    for repository in ("nosuch", "", "a/b/c", "org/name@v1@v2", "org/..", CONTROL, "gan-mnist"):
        yield ("hub", "pull", "--", repository)
        yield ("hub", "push", "--dry-run", "--", "gan-mnist", repository + "/x/y")
    yield ("hub", "list", "--remote", "--endpoint", "nowhere")
    yield ("hub", "pull", "org/name", "--endpoint", "http://[")
    for output in OUTPUTS:
        if output not in FOLDERS:  # these write a file each into a folder
            yield ("sample", "gan-mnist", "-n", "1", "-o", output)
            yield ("reconstruct", "bigan-mnist", "pictures/0.png", "-o", output)
        yield ("compare", "gan-mnist", "dcgan-mnist", "-o", output)
        yield ("score", "ganomaly-mnist", "pictures/0.png", "--csv", output)
    for place in ("file.txt", "/sys/x", "/dev/null/x", "x" * 300):
        yield ("score", "ganomaly-mnist", "pictures/0.png", "--maps", place)
        yield ("train", "gan", "--data", "digits", "--steps", "1", "--out", place)
        yield ("quickstart", "--out", place, "--seconds", "1")
        yield ("new", "my-gan", "--folder", place)
    for data in DATA:
        yield ("train", "gan", "--steps", "1", "--out", "out", f"--data={data}")
        yield ("eval", "gan-mnist", "-n", "100", f"--data={data}")
        yield ("check", "gan", f"--data={data}")
        yield ("data", "--", data)
        yield ("check-plugin", "ganzoo-gan", f"--data={data}")
    for setting in SETTINGS:
        yield ("show", "dcgan", f"--set={setting}")
        yield ("train", "dcgan", "--data=digits", "--steps=1", "--out=out", f"--set={setting}")
        yield ("check-plugin", "dcgan", f"--set={setting}")
    for loss in LOSSES:
        yield ("show", "dcgan", f"--loss={loss}")
        yield ("train", "dcgan", "--data=digits", "--steps=1", "--out=out", f"--loss={loss}")
    for device in DEVICES:
        yield ("train", "gan", "--data=digits", "--steps=1", "--out=out", f"--device={device}")
        yield ("sample", "gan-mnist", "-n", "1", "-o", "out.png", f"--device={device}")
    for precision in ("fp16", "", "FP32", "auto "):
        yield ("train", "gan", "--data=digits", "--steps=1", f"--precision={precision}")
    for picture in PICTURES:
        yield ("score", "ganomaly-mnist", "--", picture)
        yield ("reconstruct", "bigan-mnist", "-o", "out.png", "--", picture)
        yield ("translate", "cyclegan-avatars", "--to", "b", "-o", "out.png", "--", picture)
    for run in RUNS:
        yield ("train", f"--resume={run}")
        yield ("train", f"--resume={run}", "--steps", "9")
        yield ("eval", "--", run)
    for word in ("nosuch", "", CONTROL, "conv ", "Linear"):
        yield ("layers", "--", word)
        yield ("functions", "--", word)
        yield ("check-plugin", "--", word)
        yield ("new", "--", word + "/")
    yield ("sample", "gan-mnist", "--label", "1", "-o", "out.png")
    yield ("sample", "cgan-mnist", "--label", "99", "-o", "out.png")
    yield ("sample", "gan-mnist", "--text", "x", "-o", "out.png")
    yield ("sample", "gan-mnist", "--task", "nosuch", "-o", "out.png")
    yield ("sample", "ganomaly-mnist", "-o", "out.png")
    yield ("translate", "gan-mnist", "pictures/0.png", "--to", "b")
    yield ("translate", "cyclegan-avatars", "pictures/0.png", "--to", "nosuch")
    yield ("score", "gan-mnist", "pictures/0.png")
    yield ("compare", "gan-mnist")
    yield ("train", "--resume", "a-run", "--data", "digits")
    yield ("train", "gan", "--data=digits", "--batch=99999999", "--steps=1", "--out=out")
    yield ("demo", "--host", "999.0.0.1")
    yield ("demo", "--model", "nosuch")


def furnish(folder: Path) -> None:
    """The broken things that the commands name."""
    import numpy as np
    from PIL import Image

    from ganzoo.hub import installed

    gan = installed()["gan-mnist"]
    config = (gan / "config.json").read_text("utf-8")
    for name in ("nothing", "folder.png", "folder.yaml", "texts", "pictures", "runs"):
        (folder / name).mkdir()
    for name, content in {
        "file.txt": b"text", "texts/a.txt": b"text", "empty.yaml": b"", "spec.toml": b"a = 1",
        "binary.yaml": bytes(range(256)), "huge.yaml": b"a" * 3_000_000, "list.yaml": b"[1, 2]",
        "twice.json": b'{"a": 1, "a": 2}', "deep.json": b"[" * 99_999, "number.json": b"1e999",
        "half.json": b'{"title": "\\ud800"}', "tagged.yaml": b"!!python/object/apply:os.abort []",
        "broken.png": b"\x89PNG no more", "empty.png": b"",
    }.items():  # fmt: skip
        (folder / name).write_bytes(content)
    for name in ("fifo", "fifo.yaml", "fifo.png"):
        os.mkfifo(folder / name)
    (folder / "full.png").symlink_to("/dev/full")
    for index in range(3):
        pixels = np.full((28, 28), 80 * index, np.uint8)
        Image.fromarray(pixels).save(folder / "pictures" / f"{index}.png")

    def model(name: str) -> Path:
        made = folder / name
        made.mkdir()
        for file in ("config.json", "model.safetensors"):
            shutil.copyfile(gan / file, made / file)
        return made

    for name, change in {
        "fifo-config": lambda path: os.mkfifo(path / "config.json"),
        "folder-config": lambda path: (path / "config.json").mkdir(),
        "link-config": lambda path: (path / "config.json").symlink_to("/dev/zero"),
        "cut-config": lambda path: (path / "config.json").write_text(config[:500]),
    }.items():
        made = model(name)
        (made / "config.json").unlink()
        change(made)
    os.truncate(model("cut-weights") / "model.safetensors", 1000)
    (model("no-weights") / "model.safetensors").unlink()
    fifo = model("fifo-weights") / "model.safetensors"
    fifo.unlink()
    os.mkfifo(fifo)
    spoil_weights(model("nan-weights"))
    other = model("other-weights")
    shutil.copyfile(installed()["dcgan-mnist"] / "model.safetensors", other / "model.safetensors")
    for name, text in {
        "a-run": "{}", "broken-run": '{"spec"', "list-run": "[]", "empty-run": ""
    }.items():  # fmt: skip
        (folder / name).mkdir()
        (folder / name / "run.json").write_text(text)
    (folder / "fifo-run").mkdir()
    os.mkfifo(folder / "fifo-run" / "run.json")


def spoil_weights(folder: Path) -> None:
    """Weights of nothing but NaN, with a hash that agrees."""
    import hashlib

    import torch
    from safetensors.torch import load, save

    path = folder / "model.safetensors"
    tensors = load(path.read_bytes())
    content = save({name: torch.full_like(value, torch.nan) for name, value in tensors.items()})
    path.write_bytes(content)
    config = json.loads((folder / "config.json").read_text("utf-8"))
    config["weights"]["sha256"] = hashlib.sha256(content).hexdigest()
    (folder / "config.json").write_text(json.dumps(config), "utf-8")


def run(words: tuple[str, ...]) -> Outcome:
    """A command in this process."""
    from ganzoo import cli

    def hang(*_: Any) -> None:
        raise TimeoutError(f"it hangs: {PATIENCE} seconds")

    before = signal.signal(signal.SIGALRM, hang)
    signal.alarm(PATIENCE)
    out, err = io.StringIO(), io.StringIO()
    start, status, raised = time.monotonic(), None, ""
    argv, sys.argv = sys.argv, ["ganzoo", *words]
    place = Path.cwd()
    try:
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            try:
                cli.main()
            except SystemExit as stop:
                status = stop.code if isinstance(stop.code, int) else int(bool(stop.code))
            except BaseException as error:
                if isinstance(error, KeyboardInterrupt):
                    raise
                raised = f"{type(error).__name__}: {error}"
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)
        sys.argv = argv
        os.chdir(place)
        for left in ("out", "out.png", "out.html"):
            path = Path(left)
            if path.is_dir():
                shutil.rmtree(path)
            else:
                path.unlink(missing_ok=True)
    said = err.getvalue()
    fault = (
        f"raised {raised}" if raised
        else f"status {status}" if status not in (1, 2)
        else "a traceback" if "Traceback (most recent" in said + out.getvalue()
        else "not foreseen" if "not foreseen" in said
        else "hangs" if "it hangs" in said
        else "no message" if not (said + out.getvalue()).strip()
        else "control characters" if set(said) & {"\x1b", "\x07"}
        else "an endless message" if len(said) > 20_000
        else ""
    )  # fmt: skip
    return Outcome(words, status, said, time.monotonic() - start, fault)


def tried(
    count: int | None, note: Callable[[Outcome], None] = lambda outcome: None
) -> list[Outcome]:
    """Outcomes of so many wrong commands, of each kind in turn; None: of all."""
    usages, values = list(wrong_usages()), list(wrong_values())
    if count is not None:
        chance = random.Random(0)
        usages = chance.sample(usages, min(count // 3, len(usages)))
        values = chance.sample(values, min(count - len(usages), len(values)))
    found: list[Outcome] = []
    environment = {"HF_HUB_OFFLINE": "1", "GANZOO_OFFLINE": "1", "COLUMNS": "100"}
    before, place = dict(os.environ), Path.cwd()
    with tempfile.TemporaryDirectory(prefix="ganzoo-wrong-") as folder:
        os.environ.update(environment)
        furnish(Path(folder))
        os.chdir(folder)
        try:
            for words in itertools.chain(usages, values):
                found.append(run(words))
                note(found[-1])
        finally:
            os.chdir(place)
            os.environ.clear()
            os.environ.update(before)
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--count", type=int, default=300)
    parser.add_argument("--all", action="store_true")
    parser.add_argument("--show", action="store_true", help="print what each of them says")
    given = parser.parse_args()

    def note(outcome: Outcome) -> None:
        shown = [word if len(word) < 60 else f"{word[:57]}..." for word in outcome.words]
        if outcome.fault or given.show:
            print(
                f"{outcome.fault or 'well'}: ganzoo {shown!r}\n    {outcome.said[:2000]!r}",
                flush=True,
            )

    found = tried(None if given.all else given.count, note)
    faults = [outcome for outcome in found if outcome.fault]
    slowest = max(found, key=lambda outcome: outcome.seconds)
    by_status = {n: sum(one.status == n for one in found) for n in {one.status for one in found}}
    print(
        f"{len(found)} wrong commands, {len(faults)} ended wrongly; statuses {by_status}; slowest "
        f"{slowest.seconds:.1f} s: {' '.join(slowest.words)[:100]!r}"
    )
    sys.exit(bool(faults))


if __name__ == "__main__":
    main()
