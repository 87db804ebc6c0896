"""Weights & Biases. https://docs.wandb.ai/ref/python/"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ganzoo.trackers.tracker import Log, RunLog, Tracked, Tracker
from ganzoo.version import install

OPTIONS = {
    "project": "the project; ganzoo by default",
    "entity": "the person or team",
    "mode": "online, offline or disabled; as WANDB_MODE says by default",
    "group": "the group of runs",
}


def _open(run: Tracked, options: Mapping[str, str]) -> Log:
    import wandb

    run.folder.mkdir(parents=True, exist_ok=True)
    known: dict[str, Any] = {name: value for name, value in options.items() if name != "project"}
    began = wandb.init(
        project=options.get("project", "ganzoo"), name=run.name, id=run.id, resume="allow",
        dir=str(run.folder), config=run.facts, notes=run.spec, **known,
        settings=wandb.Settings(silent=True),
    )  # fmt: skip
    return RunLog(began, wandb.Image)


TRACKER = Tracker(
    name="wandb",
    summary="Weights & Biases; wandb,mode=offline needs no account",
    open=_open,
    options=OPTIONS,
    needs=("wandb",),
    install=install("wandb"),
)
