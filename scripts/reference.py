"""docs/functions.md and docs/layers.md, written from the vocabulary of the core.

.venv/bin/python scripts/reference.py

Everything on them stands where the words are declared (`ganzoo.spec.vocabulary` and
`ganzoo.spec.layers`); a test fails when the pages are older than that.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from ganzoo.spec.layers import LAYERS
from ganzoo.spec.reference import Word, of_function, of_layer
from ganzoo.spec.vocabulary import FUNCTIONS

DOCS = Path(__file__).parents[1] / "docs"

FUNCTIONS_INTRO = """\
# Functions

What the expressions of a Spec can call: losses, penalties and arithmetic, each a pure function of
tensors, batch first. `ganzoo functions` lists them, those of plugins too, and `ganzoo functions
NAME` shows one. In the examples capitals are networks, `x` is a batch of images and `fake` one that
was drawn, `y` labels, `t` sentences, `h` a mean and a log deviation side by side.

A plugin adds its own: [plugins.md](plugins.md#a-function-of-your-own).
"""

LAYERS_INTRO = """\
# Layers

What networks are made of. Only what leaves a layer has sizes; what arrives is inferred. Shapes are
of one sample: `(features,)`, `(channels, height, width)`, and `()` for a label. In formulas `v` is
what arrives. `ganzoo layers` lists them, those of plugins too, and `ganzoo layers NAME` shows one.
In Python they come from `ganzoo.spec`; in a YAML or JSON file the kind is said beside the settings,
`{kind: conv, channels: 64}`, and a layer that needs none is its kind alone, `relu`.

A plugin adds its own: [plugins.md](plugins.md#a-layer-of-your-own).
"""


def entry(word: Word, title: str) -> str:
    """One word as a section of its page."""
    parts = [f"## {title}", f"```python\n{word.signature}\n```", word.summary, word.more]
    parts.append(f"$${word.formula}$$" if word.formula else "")
    notes = [f"{name.capitalize()}: {text}." for name, text in word.notes.items()]
    if word.source:
        notes.append(f"Source: {source(word.source)}.")
    parts += ["\n".join(f"- {note}" for note in notes)]
    parts.append(f"Example:\n\n```python\n{word.example}\n```" if word.example else "")
    return "\n\n".join(filter(None, parts))


def source(text: str) -> str:
    number = text.removeprefix("arXiv:")
    return f"[{text}](https://arxiv.org/abs/{number})" if number != text else text


def page(intro: str, sections: Iterable[str]) -> str:
    return "\n\n".join([intro.rstrip(), *sections]) + "\n"


def pages() -> dict[Path, str]:
    """What each page should say."""
    functions = map(of_function, FUNCTIONS.values())
    layers = map(of_layer, LAYERS.values())
    return {
        DOCS / "functions.md": page(FUNCTIONS_INTRO, (entry(w, w.name) for w in functions)),
        DOCS / "layers.md": page(
            LAYERS_INTRO,
            (entry(w, f"{w.signature.partition('(')[0]} (`{w.name}`)") for w in layers),
        ),
    }


if __name__ == "__main__":
    for path, text in pages().items():
        path.write_text(text, "utf-8")
        print(path)
