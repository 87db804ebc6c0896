"""A process that trains for the page Train live: bounded, polite, and ended by a word.

    python -m ganzoo.demo.train_worker FOLDER SECONDS

FOLDER holds the run.json of a run. On the way the process leaves log.jsonl, progress/*.png and
state.json there, and at its end model/. It ends after its rounds or its seconds, when a file
`stop` appears, at SIGTERM, or when who started it is gone; whatever it learnt until then is kept.
"""

from __future__ import annotations

import io
import json
import os
import signal
import sys
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

from ganzoo.atomic import write_bytes, write_text

STATE, STOP, MODEL = "state.json", "stop", "model"
SHOWN, ABREAST = 48, 12
"""Pictures on the growing sheet, and in a row of it."""
BETWEEN = 1.0
"""Seconds between pictures at the least; pictures take at most a quarter of the time."""


def main(folder: Path, seconds: float, device: str = "cpu") -> None:
    """Train the run in `folder`; whatever goes wrong stands in its state.json."""
    with suppress(OSError):  # as polite as the system lets it be
        os.nice(5)
    try:
        _train(folder, seconds, device)
    except Exception as error:
        from ganzoo.errors import GanzooError

        known = isinstance(error, GanzooError)
        message = str(error) if known else f"{type(error).__name__}: {error}"
        _say(folder, state="failed", message=message[:500])
        if not known:
            raise


def _train(folder: Path, seconds: float, device: str) -> None:
    import torch

    from ganzoo import runs
    from ganzoo.data import load
    from ganzoo.engine import train

    torch.set_num_threads(1)
    parent, started = os.getppid(), time.monotonic()
    asked: list[int] = []
    signal.signal(signal.SIGTERM, lambda number, frame: asked.append(number))
    settings = runs.Settings.read(folder)
    data, held_out = runs.hold_out(settings.spec, load(settings.data))
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
            _picture(step.model(), data, folder, step.number)
            shown = time.monotonic() - started
            last_picture = shown - now
        gone = os.getppid() != parent
        if now > seconds or gone or asked or (folder / STOP).exists():
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
    """What the model can do so far, as one sheet; nothing where there is nothing to see."""
    from ganzoo.demo.outputs import sheet

    images = _work(model, data)
    if images is None:
        return
    content = io.BytesIO()
    sheet(images, columns=ABREAST).save(content, "PNG")
    write_bytes(folder / "progress" / f"{number:07d}.png", content.getvalue(), sync=False)


def _work(model: Any, data: Any) -> Any:
    """Samples; or images in rows, and below each row what became of it."""
    import torch

    from ganzoo import runs
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
            made = getattr(model, kind)(some, output="pt", **to)
            rows = zip(some.split(ABREAST), made.split(ABREAST), strict=True)
            return torch.cat([part for row in rows for part in row])
    return None


def _say(folder: Path, **facts: Any) -> None:
    write_text(folder / STATE, json.dumps(facts), sync=False)


if __name__ == "__main__":
    main(Path(sys.argv[1]), float(sys.argv[2]), *sys.argv[3:4])
