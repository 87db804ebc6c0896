"""Trackers: where else a run can be watched. Each imports its library when it is asked for."""

from __future__ import annotations

from ganzoo.trackers import tensorboard, trackio, wandb
from ganzoo.trackers.tracker import Log, Tracked, Tracker, check, parse

TRACKERS: dict[str, Tracker] = {
    tracker.name: tracker for tracker in (tensorboard.TRACKER, wandb.TRACKER, trackio.TRACKER)
}
"""Those that come with ganzoo, by name."""

__all__ = ["Log", "TRACKERS", "Tracked", "Tracker", "check", "parse"]
