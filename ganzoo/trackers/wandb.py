"""Weights & Biases. https://docs.wandb.ai/ref/python/"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from ganzoo.trackers.tracker import Log, Tracked, Tracker
from ganzoo.version import install

if TYPE_CHECKING:
    from PIL.Image import Image

OPTIONS = {
    "project": "the project; ganzoo by default",
    "entity": "the person or team",
    "mode": "online, offline or disabled; as WANDB_MODE says by default",
    "group": "the group of runs",
}


class WeightsAndBiases:
    def __init__(self, run: Any, image: Any) -> None:
        self.run, self._image = run, image

    def numbers(self, step: int, values: Mapping[str, float]) -> None:
        self.run.log(dict(values), step=step)

    def picture(self, step: int, name: str, image: Image) -> None:
        self.run.log({name: self._image(image)}, step=step)

    def close(self) -> None:
        self.run.finish()


def _open(run: Tracked, options: Mapping[str, str]) -> Log:
    import wandb

    run.folder.mkdir(parents=True, exist_ok=True)
    facts = {**run.config, "command": run.command, "spec": run.spec_json}
    known: dict[str, Any] = {name: value for name, value in options.items() if name != "project"}
    began = wandb.init(
        project=options.get("project", "ganzoo"), name=run.name, id=run.id, resume="allow",
        dir=str(run.folder), config=facts, notes=run.spec, **known,
        settings=wandb.Settings(silent=True),
    )  # fmt: skip
    return WeightsAndBiases(began, wandb.Image)


TRACKER = Tracker(
    name="wandb",
    summary="Weights & Biases; wandb,mode=offline needs no account",
    open=_open,
    options=OPTIONS,
    needs=("wandb",),
    install=install("wandb"),
)
