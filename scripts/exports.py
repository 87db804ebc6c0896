"""Every task of every installed model, in onnxruntime and in torch: `python scripts/exports.py`.

Names of models after it choose some. One line a task: how far the two are apart, relative to the
largest value where that is above 1, and whether all verdicts agree. Tests ask a task of each kind.
"""

from __future__ import annotations

import sys
import time

import numpy as np
import torch
from onnxruntime import InferenceSession

import ganzoo
from ganzoo.errors import TaskError
from ganzoo.export import files
from ganzoo.export.function import TaskFunction, example
from ganzoo.hub import installed

ALLOWED = 1e-4
BATCHES = (1, 7, 32)


def apart(model: ganzoo.Model, task: str) -> tuple[float, int, int]:
    """The largest difference, verdicts that differ, and bytes of the file."""
    content = files.onnx(model, task)
    session = InferenceSession(content)
    function = TaskFunction(model, model.spec.tasks[task])
    worst, wrong = 0.0, 0
    for batch in BATCHES:
        values = example(function.takes, batch)
        with torch.no_grad():
            wanted = function(*values.values())
        found = session.run(None, {name: value.numpy() for name, value in values.items()})
        for ours, theirs in zip(wanted, found, strict=True):
            if ours.dtype == torch.bool:
                wrong += int((ours.numpy() != theirs).sum())
            else:
                scale = max(1.0, float(ours.abs().max()))
                worst = max(worst, float(np.abs(ours.numpy() - theirs).max()) / scale)
    return worst, wrong, len(content)


def main() -> int:
    failed = 0
    for name in sys.argv[1:] or installed():
        model = ganzoo.from_pretrained(name)
        for task in model.spec.tasks:
            start = time.perf_counter()
            try:
                worst, wrong, size = apart(model, task)
            except TaskError as error:
                print(f"{name} {task}: {error}", flush=True)
                failed += not model.spec.tasks[task].solve
                continue
            verdict = "ok" if worst < ALLOWED and not wrong else "APART"
            failed += verdict != "ok"
            seconds = time.perf_counter() - start
            print(
                f"{name} {task}: {verdict} {worst:.1e}, {wrong} verdicts differ, "
                f"{size / 1e6:.1f} MB, {seconds:.1f} s",
                flush=True,
            )
    return int(failed > 0)


if __name__ == "__main__":
    sys.exit(main())
