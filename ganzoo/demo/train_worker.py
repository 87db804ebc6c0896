"""A training process of the page Train live, with low priority and limits.

    python -m ganzoo.demo.train_worker PARENT DATA...

It imports all modules of a training, runs one round of a small one, loads the data sets, and waits
for a line of JSON on its standard input: the `folder` of a run with its run.json, the time limit in
`seconds`, and the `device`. During training it writes log.jsonl, progress/*.png and state.json to
that folder, and at the end model/. It ends after its rounds or its time limit, when a file `stop`
appears, or at SIGTERM, and keeps the model trained so far. If the app that started it has ended,
the process ends, too, and removes the app's files.
"""

from __future__ import annotations

import io
import json
import os
import shutil
import signal
import sys
import threading
import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from ganzoo.atomic import write_bytes, write_text

STATE, STOP, MODEL, ERRORS = "state.json", "stop", "model", "errors.txt"
SHOWN, ABREAST = 48, 12
"""The number of pictures on the sheet of samples, and in a row of it."""
BETWEEN = 1.0
"""The least seconds between pictures; pictures take at most a quarter of the time."""
_read: dict[str, Any] = {}
"""Data sets that were loaded in advance, by name."""
_reading: dict[str, threading.Lock] = {}


def main(parent: int, data: Sequence[str]) -> None:
    """Wait for a training and execute it; errors are reported in its state.json."""
    threading.Thread(target=_end_with, args=(parent,), daemon=True).start()
    with suppress(OSError):  # as polite as the system lets it be
        os.nice(5)
    job = _wait(data)
    if job is None:
        return
    folder = Path(job["folder"])
    # what libraries write goes to the run's own file
    with (folder / ERRORS).open("ab", buffering=0) as errors:
        os.dup2(errors.fileno(), 2)
    try:
        _train(folder, float(job["seconds"]), job["device"])
    except Exception as error:
        from ganzoo.errors import GanzooError

        known = isinstance(error, GanzooError)
        message = str(error) if known else f"{type(error).__name__}: {error}"
        _say(folder, state="failed", message=message[:500])
        if not known:
            raise


def _end_with(parent: int) -> None:
    """End this process when `parent` has ended, and remove the files of an app that was killed."""
    while os.getppid() == parent:
        time.sleep(0.5)
    if os.environ.get("GANZOO_DEMO_PROCESS") == str(parent):
        shutil.rmtree(os.environ["GRADIO_TEMP_DIR"], ignore_errors=True)
    os._exit(1)


def _wait(data: Sequence[str]) -> dict[str, Any] | None:
    """The training from standard input; meanwhile a thread prepares, one step at a time."""
    warm, wanted = threading.Event(), threading.Event()

    def ahead() -> None:
        for ready in (_warm, *((lambda name=name: _load(name)) for name in data)):
            with suppress(Exception):  # it goes wrong again where somebody sees it
                ready()
            warm.set()
            if wanted.is_set():
                return

    threading.Thread(target=ahead, daemon=True).start()
    line = sys.stdin.readline()
    wanted.set()
    warm.wait()  # the training needs the same imports
    return json.loads(line) if line else None


def _warm() -> None:
    """Run a round of a small training and draw a picture, since both are slow the first time."""
    import torch

    from ganzoo import runs
    from ganzoo.demo.live_training import quick_settings
    from ganzoo.demo.outputs import sheet
    from ganzoo.engine import train
    from ganzoo.plugins.host import default

    torch.set_num_threads(1)
    found = _load("digits")
    spec = default().variant("dcgan").parse(quick_settings("dcgan")).spec(found.fields)
    step = next(iter(train(spec, found, steps=1, batch=8, seed=0, precision="fp32")))
    sheet(runs.samples(step.model(), ABREAST))


def _load(name: str) -> Any:
    """The training data of that name, read once."""
    from ganzoo.data import load

    with _reading.setdefault(name, threading.Lock()):
        if name not in _read:
            _read[name] = load(name)
        return _read[name]


def _train(folder: Path, seconds: float, device: str) -> None:
    import torch

    from ganzoo import runs
    from ganzoo.engine import train
    from ganzoo.runs.frames import BATCHES

    torch.set_num_threads(1)
    started = time.monotonic()
    asked: list[int] = []
    signal.signal(signal.SIGTERM, lambda number, frame: asked.append(number))
    settings = runs.Settings.read(folder)
    data, held_out = runs.hold_out(settings.spec, _load(settings.data))
    steps = train(
        settings.spec,
        data,
        steps=settings.steps,
        batch=settings.batch,
        seed=settings.seed,
        device=device,
        precision=settings.precision,  # type: ignore[arg-type]
    )
    shown = logged = last_picture = 0.0
    step = None
    for step in steps:
        now = time.monotonic() - started
        if step.number == 1 or now - logged > 0.5 or step.number == step.total:
            logged = now
            losses = {term: round(value, 5) for term, value in step.losses().items()}
            record = {"step": step.number, "seconds": round(now, 3), "losses": losses}
            runs.append(folder, record)
            _say(folder, state="running", step=step.number, steps=step.total, seconds=now)
        if step.number == 1 or now - shown > max(BETWEEN, 3 * last_picture):
            # the statistics of two batches do for a look; the model that is kept has those of fifty
            _picture(step.training.model(BATCHES), data, folder, step.number)
            shown = time.monotonic() - started
            last_picture = shown - now
        if now > seconds or asked or (folder / STOP).exists():
            break
    assert step is not None
    now = time.monotonic() - started
    _say(folder, state="saving", step=step.number, steps=step.total, seconds=now)
    model = runs.save_model(
        step, folder / MODEL, settings, data, held_out, seconds=round(now, 1)
    )  # fmt: skip
    _picture(model, data, folder, step.number)
    _say(folder, state="done", step=step.number, steps=step.total, seconds=now)


def _picture(model: Any, data: Any, folder: Path, number: int) -> None:
    """A sheet of the model's current outputs; None if it has none that can be shown."""
    from ganzoo.demo.outputs import sheet

    images = _work(model, data)
    if images is None:
        return
    content = io.BytesIO()
    sheet(images, columns=ABREAST).save(content, "PNG")
    write_bytes(folder / "progress" / f"{number:07d}.png", content.getvalue(), sync=False)


def _work(model: Any, data: Any) -> Any:
    """Samples; or rows of input images, each with a row of their outputs below."""
    import torch

    from ganzoo import runs
    from ganzoo.runs.samples import inputs
    from ganzoo.spec.draws import Image

    if model.tasks("generate"):
        return runs.samples(model, SHOWN) if runs.shown(model.spec) else None
    for kind in ("reconstruct", "translate"):
        for task in model.tasks(kind).values():
            draws = map(model.spec.draws.__getitem__, model.spec.draws_of(task))
            field = next(draw.field for draw in draws if isinstance(draw, Image))
            some = data.batch(field, torch.arange(min(SHOWN // 2, data.length(field))))
            some = some.add(1).div(2)
            to = {"to": task.to} if kind == "translate" else {}
            given = inputs(model.spec, task, len(some))
            made = getattr(model, kind)(some, output="pt", **to, **given)
            rows = zip(some.split(ABREAST), made.split(ABREAST), strict=True)
            return torch.cat([part for row in rows for part in row])
    return None


def _say(folder: Path, **facts: Any) -> None:
    write_text(folder / STATE, json.dumps(facts), sync=False)


if __name__ == "__main__":
    main(int(sys.argv[1]), sys.argv[2:])
