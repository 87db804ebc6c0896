"""A model as one HTML file: it runs in a browser, from a disk, without a network.

The page holds the ONNX file of each task, onnxruntime-web (`ganzoo-browser`) and a script; the
noise of a seed is drawn as torch draws it, so a seed gives the same picture as in Python.
"""

from __future__ import annotations

import base64
import gzip
import html
import json
from collections.abc import Iterator
from importlib.resources import files
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from ganzoo.atomic import write_bytes
from ganzoo.errors import TaskError
from ganzoo.export.contract import contract
from ganzoo.export.files import Exported, onnx, tasks_of
from ganzoo.models.model import Model
from ganzoo.spec.draws import DATA, Image, Text
from ganzoo.version import version

LARGE = 10_000_000
"""Bytes of a page above which there is a warning."""
EXAMPLES = 20
"""The most sentences that the page of a text-to-image model offers."""
_SCRIPTS = ("random.js", "pictures.js", "app.js")


def write(model: Model, path: Path, tasks: list[str] | None = None) -> Iterator[Exported]:
    """Write the page, and report for each task whether it is on it.

    Args:
        path: of the file. tasks: their names; by default those that `offered` returns.

    Raises:
        TaskError: the package that makes pages or the runtime in it is missing, or no task can be
            exported.
    """
    if not find_spec("ganzoo_browser") or not find_spec("onnxscript"):
        raise TaskError('a page needs a runtime for browsers: pip install "ganzoo-core[html]"')
    _runtime()  # before the work
    made: dict[str, bytes] = {}
    facts: dict[str, dict[str, Any]] = {}
    reasons: dict[str, str] = {}
    for name in tasks_of(model, tasks) if tasks else offered(model):
        try:
            made[name], facts[name] = (
                onnx(model, name),
                _with_examples(model, contract(model, name)),
            )
        except TaskError as error:
            reasons[name] = str(error)
    if not made:
        raise TaskError(f"no task of {model.title} can be exported: {next(iter(reasons.values()))}")
    write_bytes(path, page(model, made, facts).encode())
    yield from (Exported(name, path) for name in made)
    yield from (Exported(name, reason=reason) for name, reason in reasons.items())


def offered(model: Model) -> list[str]:
    """The tasks on a page: the first generate task, and those for a single picture.

    Each brings its weights, so that those of no use to people there are left out: codes, match
    vectors, earlier stages, and distances that a critic estimates.

    Raises:
        TaskError: there are none.
    """
    found: list[str] = []
    for name, task in model.spec.tasks.items():
        needs = [model.spec.draws[draw] for draw in model.spec.draws_of(task)]
        needs = [draw for draw in needs if isinstance(draw, DATA)]
        if name in model.spec.lacking or task.solve:
            continue
        one_picture = len(needs) == 1 and isinstance(needs[0], Image)
        told = task.kind not in ("encode", "match") and not model.spec.estimated(task)
        first = name == next(iter(model.tasks("generate")), None)
        if first or (task.kind != "generate" and told and one_picture):
            found.append(name)
    if not found:
        raise TaskError(
            f"{model.title} has no task that a page can offer; choose tasks with --task"
        )
    return found


def page(model: Model, made: dict[str, bytes], facts: dict[str, dict[str, Any]]) -> str:
    """The text of the page.

    Args:
        made: the ONNX file of each task. facts: the contract of each.
    """
    code, wasm = _runtime()
    parts = {"runtime-code": gzip.compress(code, mtime=0), "runtime-wasm": wasm}
    parts |= {f"task-{name}": gzip.compress(content, mtime=0) for name, content in made.items()}
    web = files("ganzoo.export").joinpath("web")
    said = {"model": model.title, "tasks": facts}
    licence = model.config.data.licence
    footer = [
        f"Made by ganzoo {version()}.",
        *([f"Trained on data under these terms: {licence}."] if licence else []),
        "Runs on ONNX Runtime (MIT, Microsoft Corporation).",
    ]
    values = {
        "title": html.escape(model.title),
        "footer": html.escape(" ".join(footer)),
        # text from others must not end the script that contains it
        "facts": json.dumps(said, allow_nan=False).replace("<", "\\u003c"),
        "parts": "\n".join(
            f'<script type="text/plain" id="{html.escape(name)}">'
            f"{base64.b64encode(content).decode()}</script>"
            for name, content in parts.items()
        ),
        "script": "\n".join(web.joinpath(name).read_text("utf-8") for name in _SCRIPTS),
    }
    # split first, so that no placeholder is looked for inside a value
    first, *rest = web.joinpath("page.html").read_text("utf-8").split("{{")
    for piece in rest:
        word, _, text = piece.partition("}}")
        first += values[word] + text
    return first


def _runtime() -> tuple[bytes, bytes]:
    """The JavaScript and the WebAssembly of the runtime; TaskError if they are not there."""
    from ganzoo_browser import RuntimeMissingError, runtime

    try:
        return runtime()
    except RuntimeMissingError as error:
        raise TaskError(f"a page needs a runtime for browsers: {error}") from None


def _with_examples(model: Model, facts: dict[str, Any]) -> dict[str, Any]:
    """The contract with sentences of the data as numbers: a page has no text encoder."""
    from ganzoo.data.text_encoder import embed

    for one in facts["inputs"]:
        draw = model.spec.draws.get(one["name"])
        if isinstance(draw, Text) and draw.examples:
            sentences = draw.examples[:EXAMPLES]
            rows = embed(sentences, draw.encoder)
            one["examples"] = [
                {"text": text, "rows": [round(float(value), 7) for value in row]}
                for text, row in zip(sentences, rows, strict=True)
            ]
    return facts
