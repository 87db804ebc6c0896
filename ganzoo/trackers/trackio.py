"""Trackio: a local dashboard, or one in a Hugging Face Space. https://huggingface.co/docs/trackio"""

from __future__ import annotations

from collections.abc import Mapping

from ganzoo.trackers.tracker import Log, RunLog, Tracked, Tracker
from ganzoo.version import install

OPTIONS = {
    "project": "the project; ganzoo by default",
    "space": "a Hugging Face Space that shows it, as owner/name; on this machine by default",
}


def _open(run: Tracked, options: Mapping[str, str]) -> Log:
    import trackio

    began = trackio.init(
        project=options.get("project", "ganzoo"), name=f"{run.name}-{run.id}", resume="allow",
        config=run.facts, space_id=options.get("space"), embed=False, auto_log_gpu=False,
    )  # fmt: skip
    return RunLog(began, trackio.Image)


TRACKER = Tracker(
    name="trackio",
    summary="Trackio, on this machine or in a Space: trackio show --project ganzoo",
    open=_open,
    options=OPTIONS,
    needs=("trackio",),
    install=install("trackio"),
)
