"""What a model folder is made of: the names of its files, and how large one may be."""

from __future__ import annotations

CONFIG, WEIGHTS = "config.json", "model.safetensors"
RUN = "run.json"
"""Of the folder of a run, which has its model in a folder below, or none yet."""
LIMIT = "GANZOO_LIMIT"
"""The environment variable that says how many times the usual work a loaded model may take."""
MAX_CONFIG = 1_000_000
"""Bytes of config.json that are read at most."""
