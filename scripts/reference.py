"""Writes docs/functions.md and docs/layers.md from the vocabulary of the core.

.venv/bin/python scripts/reference.py

Their text comes from the declarations in `ganzoo.spec.functions` and `ganzoo.spec.layers`; a test
fails if the pages are out of date.
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

The functions that expressions of a Spec can call: losses, penalties and arithmetic. Each is a pure
function of tensors with the batch axis first. `ganzoo functions` lists them, including those of
plugins, and `ganzoo functions NAME` shows one. In the examples, capital letters are networks, `x`
is a batch of images, `fake` a batch of generated images, `y` labels, `t` sentences, and `h` a mean
and a log standard deviation, concatenated.

A plugin adds its own: [plugins.md](plugins.md#a-function-of-your-own).
"""

LAYERS_INTRO = """\
# Layers

The layers that networks consist of. Layers declare only output sizes; input sizes are inferred.
Shapes are of one sample: `(features,)`, `(channels, height, width)`, and `()` for a label. In
formulas, `v` is the input. `ganzoo layers` lists them, including those of plugins, and `ganzoo
layers NAME` shows one. In Python, import them from `ganzoo.spec`; in a YAML or JSON file, give the
kind with the settings, `{kind: conv, channels: 64}`, or, for a layer without settings, just the
kind, `relu`.

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
    """The text of each page."""
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
