"""The files of a model folder: their names, and size limits."""

from __future__ import annotations

CONFIG, WEIGHTS = "config.json", "model.safetensors"
RUN = "run.json"
"""In the folder of a run, whose model is in a folder below, if there is one yet."""
LIMIT = "GANZOO_LIMIT"
"""The environment variable for how many times the usual work a loaded model may take."""
MAX_CONFIG = 1_000_000
"""The most bytes of config.json that are read."""
