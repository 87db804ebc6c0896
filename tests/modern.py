"""The modern variants that ship: settings that make them small, and presets of papers' sizes."""

from __future__ import annotations

from typing import Any

MODERN: dict[str, dict[str, Any]] = {
    "pix2pix": {"width": 4},
    "cyclegan": {"width": 4, "blocks": 1, "layers": 1},
    "cut": {"width": 4, "blocks": 2, "layers": 1, "places": 8, "code": 4},
    "cut-fast": {"width": 4, "blocks": 2, "layers": 1, "places": 8, "code": 4},
    "infogan": {"width": 4, "hidden": 16, "latent": 5},
    "acgan": {"width": 2, "latent": 5},
    "anogan": {"width": 4, "latent": 5, "search": 5},
    "f-anogan": {"width": 4, "latent": 5},
    "began": {"width": 4, "latent": 5},
    "vae-gan": {"width": 4, "latent": 5, "hidden": 8},
    "sngan": {"latent": 5, "width": 8, "discriminator_width": 8, "conditional": True},
    "sagan": {"latent": 5, "width": 8, "discriminator_width": 8, "attention": 8},
    "biggan": {"chunk": 3, "embedding": 4, "width": 8, "discriminator_width": 8, "attention": 8},
    "r3gan": {"width": 16, "group": 4, "latent": 8},
    "stylegan2": {"width": 16, "mapping": 2, "latent": 8},
}
"""Settings that make each variant small, for images of 16x16."""

PRESETS: dict[str, tuple[int, int]] = {
    "pix2pix-256": (256, 3),
    "cyclegan-256": (256, 3),
    "cut-256": (256, 3),
    "cut-fast-256": (256, 3),
    "infogan-mnist": (28, 1),
    "acgan-cifar10": (32, 3),
    "f-anogan-64": (64, 3),
    "began-64": (64, 3),
    "vae-gan-celeba": (64, 3),
    "sngan-cifar10": (32, 3),
    "sagan-imagenet128": (128, 3),
    "biggan-cifar10": (32, 3),
    "biggan-imagenet128": (128, 3),
    "r3gan-cifar10": (32, 3),
    "r3gan-ffhq64": (64, 3),
    "stylegan2-cifar10": (32, 3),
    "stylegan2-paper256": (256, 3),
}
"""Settings of papers, with the size and the channels of their images."""
