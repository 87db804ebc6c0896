"""TensorBoard: event files in the folder of the run. https://www.tensorflow.org/tensorboard"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from ganzoo.trackers.tracker import Log, Tracked, Tracker
from ganzoo.version import install

if TYPE_CHECKING:
    from PIL.Image import Image


class TensorBoard:
    def __init__(self, writer: Any) -> None:
        self.writer = writer

    def numbers(self, step: int, values: Mapping[str, float]) -> None:
        for name, value in values.items():
            self.writer.add_scalar(name, value, step)
        self.writer.flush()

    def picture(self, step: int, name: str, image: Image) -> None:
        import numpy as np

        self.writer.add_image(name, np.asarray(image.convert("RGB")), step, dataformats="HWC")
        self.writer.flush()

    def close(self) -> None:
        self.writer.close()


def _open(run: Tracked, options: Mapping[str, str]) -> Log:
    from torch.utils.tensorboard import SummaryWriter

    # entries of rounds that are done again are not shown
    again = run.step + 1 if run.step else None
    writer = SummaryWriter(options.get("dir") or str(run.folder), purge_step=again)
    log = TensorBoard(writer)
    if not run.step:
        rows = "\n".join(f"| {name} | {value} |" for name, value in run.config.items())
        writer.add_text("run/settings", f"| | |\n| --- | --- |\n{rows}")
        writer.add_text("run/spec", f"```\n{run.spec}\n```")
        writer.add_text("run/spec.json", f"```json\n{run.spec_json}\n```")
        if run.command:
            writer.add_text("run/command", f"```\n{run.command}\n```")
    writer.flush()
    return log


TRACKER = Tracker(
    name="tensorboard",
    summary="TensorBoard's event files, in the folder of the run: tensorboard --logdir RUN",
    open=_open,
    options={"dir": "another folder for the event files"},
    needs=("tensorboard",),
    install=install("tensorboard"),
)
