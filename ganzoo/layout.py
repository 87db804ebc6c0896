"""What a model folder is made of: the names of its files, and how large one may be."""

from __future__ import annotations

CONFIG, WEIGHTS = "config.json", "model.safetensors"
MAX_CONFIG = 1_000_000
"""Bytes of config.json that are read at most."""
