"""Trackio: a local dashboard, or one in a Hugging Face Space. https://huggingface.co/docs/trackio"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from ganzoo.trackers.tracker import Log, Tracked, Tracker
from ganzoo.version import install

if TYPE_CHECKING:
    from PIL.Image import Image

OPTIONS = {
    "project": "the project; ganzoo by default",
    "space": "a Hugging Face Space that shows it, as owner/name; on this machine by default",
}


class Trackio:
    def __init__(self, run: Any, image: Any) -> None:
        self.run, self._image = run, image

    def numbers(self, step: int, values: Mapping[str, float]) -> None:
        self.run.log(dict(values), step=step)

    def picture(self, step: int, name: str, image: Image) -> None:
        self.run.log({name: self._image(image)}, step=step)

    def close(self) -> None:
        self.run.finish()


def _open(run: Tracked, options: Mapping[str, str]) -> Log:
    import trackio

    facts = {**run.config, "command": run.command, "spec": run.spec_json}
    began = trackio.init(
        project=options.get("project", "ganzoo"), name=f"{run.name}-{run.id}", resume="allow",
        config=facts, space_id=options.get("space"), embed=False, auto_log_gpu=False,
    )  # fmt: skip
    return Trackio(began, trackio.Image)


TRACKER = Tracker(
    name="trackio",
    summary="Trackio, on this machine or in a Space: trackio show --project ganzoo",
    open=_open,
    options=OPTIONS,
    needs=("trackio",),
    install=install("trackio"),
)
