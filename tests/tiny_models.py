"""Models of a few rounds and a handful of units, for what needs one of each kind."""

from __future__ import annotations

from pathlib import Path

import torch

import ganzoo
from ganzoo.models import store
from ganzoo.plugins.host import default
from ganzoo.spec import Image, Text

COLOURS = {"red": (255, 0, 0), "green": (0, 160, 0), "blue": (0, 0, 255), "yellow": (250, 220, 0)}
SENTENCES = tuple(f"a {colour} square" for colour in COLOURS)


def trained(variant: str, data: ganzoo.Source, rounds: int, **settings: object) -> ganzoo.Model:
    """A variant of a plugin after so many rounds."""
    spec = default().variant(variant).parse(settings).spec(data.fields)
    for step in ganzoo.train(spec, data, steps=rounds, batch=8, precision="fp32"):
        if step.number == step.total:
            return step.model()
    raise AssertionError("no rounds")


def coloured_squares(folder: Path, rounds: int = 40) -> Path:
    """A text-to-image model in two stages that knows four sentences; needs the text encoder."""
    row = torch.arange(64) % len(SENTENCES)
    pixels = torch.tensor([*COLOURS.values()], dtype=torch.uint8)[row]
    images = pixels[:, :, None, None].expand(-1, 3, 16, 16).contiguous()
    fields = ganzoo.Fields(
        {"image": Image((3, 16, 16)), "text": Text(examples=SENTENCES)}, name="squares"
    )
    text = torch.from_numpy(ganzoo.embed(SENTENCES))[row]
    source = ganzoo.Source("squares", fields, {"image": images, "text": text})
    settings = {"width": 4, "latent": 4, "condition": 4, "reading": 16, "lr": 2e-3, "kl": 0.1}
    model = trained("stackgan", source, rounds, **settings, residuals=1)
    return store.save(model, folder, name="squares", data={"name": "squares", "size": 64})


def two_domains(folder: Path, rounds: int = 30) -> Path:
    """A translator between dark and light pictures."""
    generator = torch.Generator().manual_seed(0)
    images = torch.randint(0, 120, (32, 1, 16, 16), generator=generator, dtype=torch.uint8)
    fields = ganzoo.Fields(
        {name: Image((1, 16, 16), name, independent=True) for name in "ab"}, name="domains"
    )
    source = ganzoo.Source("domains", fields, {"a": images, "b": 255 - images})
    model = trained("discogan", source, rounds, width=4, steps=rounds)
    return store.save(model, folder, name="domains", data={"name": "domains", "size": 32})
