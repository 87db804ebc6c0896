"""Inputs of a task as options of a command: classes, sentences, and whatever else it takes."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ganzoo.errors import TaskError, choices, nearest
from ganzoo.spec.draws import DATA, Categorical, Image, Label, Text, Vector

if TYPE_CHECKING:
    from ganzoo.models.model import Model
    from ganzoo.spec.tasks import Task

EACH = "each"
"""Stands for all classes."""
OPTIONS = ("label", "text")
"""Inputs that have an option of their own; others are given by `--set`."""
Labels = Annotated[
    list[str] | None,
    typer.Option(
        "--label", "--labels",
        help="The class, by number or name, or each; can be repeated.",
    ),
]  # fmt: skip
OneLabel = Annotated[
    list[str] | None, typer.Option("--label", help="The class, by number or name.")
]
Texts = Annotated[
    list[str] | None,
    typer.Option("--text", help="The sentence, for models that take one; can be repeated."),
]
OneText = Annotated[
    list[str] | None, typer.Option("--text", help="The sentence, for models that take one.")
]
Values = Annotated[
    list[str] | None,
    typer.Option(
        "--set",
        help="Another input or number of the task, such as c=3 (c=each for all classes), psi=0.7 "
        "or vector=0.1,0.5. Can be repeated.",
    ),
]
TaskName = Annotated[str | None, typer.Option(help="The task, if there are several.")]


@dataclass(frozen=True)
class Inputs:
    """What was given for a task, beside pictures and noise.

    Args:
        values: one or several values of each input, by its keyword.
        numbers: the numbers of the task that were set.
    """

    values: Mapping[str, Sequence[Any]] = field(default_factory=dict[str, Sequence[Any]])
    numbers: Mapping[str, float] = field(default_factory=dict[str, float])

    def in_turn(self, n: int) -> dict[str, list[Any]]:
        """A value of each input for each of `n` samples."""
        return {
            word: [values[index % len(values)] for index in range(n)]
            for word, values in self.values.items()
        }

    def rows(self) -> list[dict[str, Any]]:
        """What to run the task with, once for each of the values given; once if there are none."""
        number = max(map(len, self.values.values()), default=1)
        turns = self.in_turn(number)
        return [{word: turns[word][index] for word in turns} for index in range(number)]

    def only(self) -> dict[str, Any]:
        """One value of each input, and the numbers.

        Raises:
            TaskError: there are several of one.
        """
        for word, values in self.values.items():
            if len(values) > 1:
                raise TaskError(f"{_option(word)}: this command takes one value, not several")
        return {word: values[0] for word, values in self.values.items()} | dict(self.numbers)


def inputs(
    model: Model,
    task: Task,
    label: Sequence[str] | None = None,
    text: Sequence[str] | None = None,
    values: Sequence[str] | None = None,
    *,
    pictures: bool = False,
    defaults: Mapping[str, Sequence[Any]] | None = None,
) -> Inputs:
    """The inputs of a task, as typed.

    Args:
        label, text, values: those of `--label`, `--text` and `--set`.
        pictures: the command reads the images itself.
        defaults: inputs for what is not given.

    Raises:
        TaskError: the task does not take that, or needs something else.
    """
    words = _words(model, task, pictures)
    typed: dict[str, list[str]] = {}
    for word, said in _typed(label, text, values):
        if word not in words:
            takes = [_spelled(name, what) for name, what in words.items()]
            listed = f"it takes {', '.join(takes)}" if takes else "leave it out"
            raise TaskError(
                f"{model.title} takes no {_option(word)}{nearest(word, words)} {listed}"
            )
        typed.setdefault(word, []).append(said)
    numbers = {word: _number(word, typed.pop(word)) for word in task.numbers if word in typed}
    given = dict(defaults or {}) | {
        word: _values(word, words[word], said) for word, said in typed.items()
    }
    for word, draw in words.items():
        if isinstance(draw, DATA) and word not in given:
            raise TaskError(f"{model.title} needs {_spelled(word, draw)}")
    return Inputs(given, numbers)


def classes(draw: Label | Categorical, word: str, said: Sequence[str]) -> list[Any]:
    """Classes as typed: names, or numbers if no class has that name; `each` means all."""
    from ganzoo.models.labels import class_numbers

    names = set(getattr(draw, "names", ()))
    if EACH in said and EACH not in names:
        if len(said) > 1:
            raise TaskError(f"{_option(word, EACH)} means all classes; give no others with it")
        return [*range(draw.classes)]
    found: list[Any] = [
        int(one) if one not in names and one.isascii() and one.isdigit() and len(one) < 10 else one
        for one in said
    ]
    class_numbers(word, draw, found)
    return found


def _words(model: Model, task: Task, pictures: bool) -> dict[str, Any]:
    """The inputs that a command can set: a draw by its keyword, or the default of a number."""
    found: dict[str, Any] = {}
    for name in model.spec.draws_of(task):
        draw = model.spec.draws[name]
        if isinstance(draw, Categorical):
            found[name] = draw
        elif isinstance(draw, DATA) and not (pictures and isinstance(draw, Image)):
            found.setdefault(draw.kind, draw)
    return found | dict(task.numbers)


def _typed(
    label: Sequence[str] | None,
    text: Sequence[str] | None,
    values: Sequence[str] | None,
) -> Iterator[tuple[str, str]]:
    """Each keyword with a value, in their order."""
    for word, said in (("label", label), ("text", text)):
        yield from ((word, one) for one in said or ())
    for item in values or ():
        word, equals, value = item.partition("=")
        if not equals:
            raise TaskError(f"--set {item}: write name=value, such as psi=0.7")
        yield word, value


def _values(word: str, draw: Any, said: Sequence[str]) -> list[Any]:
    match draw:
        case Label() | Categorical():
            return classes(draw, word, said)
        case Vector(size=size):
            return [_vector(word, size, one) for one in said]
        case _:
            return [*said]


def _vector(word: str, size: int, said: str) -> list[float]:
    try:
        numbers = [float(part) for part in said.split(",")]
    except ValueError:
        numbers = []
    if len(numbers) != size or not all(map(math.isfinite, numbers)):
        raise TaskError(f"{_option(word)} is {size} numbers separated by commas, not {said!r}")
    return numbers


def _number(word: str, said: Sequence[str]) -> float:
    try:
        (number,) = map(float, said)
    except ValueError:
        number = math.nan
    if not math.isfinite(number):
        raise TaskError(f"{_option(word)} is one finite number, not {' '.join(said)!r}")
    return number


def _option(word: str, value: str = "") -> str:
    if word in OPTIONS:
        return f"--{word} {value}".rstrip()
    return f"--set {word}={value}" if value else f"--set {word}"


def _spelled(word: str, draw: Any) -> str:
    """An option with what it takes."""
    match draw:
        case Label(classes=number) | Categorical(classes=number):
            names = getattr(draw, "names", ())
            named = f", or {choices(names)}" if names else ""
            return f"{_option(word, 'N')} (0 to {number - 1}{named})"
        case Text():
            return _option(word, '"..."')
        case Vector(size=size):
            return f"{_option(word, '...')} ({size} numbers separated by commas)"
        case Image():
            return f"{_option(word, 'FILE')}"
        case _:
            return _option(word, f"{draw:g}")
