"""Examples of the inputs that a task needs beside pictures and noise, for commands and Python."""

from __future__ import annotations

import shlex
from typing import Any

from ganzoo.spec.draws import Label, Text, Vector
from ganzoo.spec.spec import Spec
from ganzoo.spec.tasks import Task


def example_inputs(spec: Spec, task: Task) -> dict[str, Any]:
    """A value for each input, by keyword: a class, a sentence, a list of numbers."""
    found: dict[str, Any] = {}
    for name in spec.draws_of(task):
        match spec.draws[name]:
            case Label(names=names):
                found["label"] = names[0] if names else 0
            case Text(examples=examples):
                found["text"] = examples[0] if examples else "a sentence"
            case Vector(size=size):
                found["vector"] = [0.0] * size
            case _:
                pass
    return found


def as_options(spec: Spec, task: Task) -> str:
    """The same as options of the command for the task, such as ` --label black`.

    `ganzoo sample` draws all classes in turn, and needs none.
    """
    words: list[str] = []
    for word, value in example_inputs(spec, task).items():
        if word == "vector":
            words.append(f"--set vector={','.join(f'{number:g}' for number in value)}")
        elif word == "text":
            words.append(f'--text "{value}"')
        elif task.kind != "generate":
            words.append(f"--label {shlex.quote(str(value))}")
    return "".join(f" {word}" for word in words)


def as_keywords(spec: Spec, task: Task) -> str:
    """The same as arguments of the model's method, such as `, label='black'`."""
    return "".join(f", {word}={value!r}" for word, value in example_inputs(spec, task).items())
