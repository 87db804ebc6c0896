"""Trackers: other places to watch a run. Each imports its library only when it is used."""

from __future__ import annotations

from ganzoo.trackers import tensorboard, trackio, wandb
from ganzoo.trackers.tracker import Log, Tracked, Tracker, check, parse

TRACKERS: dict[str, Tracker] = {
    tracker.name: tracker for tracker in (tensorboard.TRACKER, wandb.TRACKER, trackio.TRACKER)
}
"""The trackers that come with ganzoo, by name."""

__all__ = ["Log", "TRACKERS", "Tracked", "Tracker", "check", "parse"]
