"""The exceptions of ganzoo.

    GanzooError
    ├── SpecError            a Spec, layer or expression breaks the language
    │   └── ShapeError       tensors do not fit together; found by the dry run
    ├── UnknownNameError     no variant, model, data set, task ... of that name
    ├── PluginError          a plugin is missing, broken, or clashes with another
    ├── DataError            a data set cannot be read, or lacks a field that a Spec draws
    │   └── PictureError     a picture cannot be read
    ├── TrainingError        a run cannot start, continue or resume
    │   ├── NonFiniteError   a loss became NaN or infinite
    │   └── ElsewhereError   another process of the run failed, and says why
    ├── StoreError           a model folder is incomplete, foreign or of a newer format
    │   └── IntegrityError   its files are not those that config.json, or the hub, names
    ├── HubError             the hub cannot fulfil, or refuses, a request
    │   ├── UnreachableError it does not answer, or must not be asked
    │   ├── NotFoundError    no such repository, revision or file, as far as one may see
    │   ├── AccessError      no token, or one that may not do this
    │   └── MovedError       the repository has changed since it was looked at
    ├── TaskError            a trained model cannot do what was requested
    └── MetricError          a model cannot be measured, or its figures cannot be read

Every message says what is wrong, where, what is allowed, and what to do next.
"""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches

MANY, LONG = 20, 2000
"""How many problems of a Spec are shown, and how many characters of each."""


class GanzooError(Exception):
    """Root of all errors that ganzoo raises on purpose."""


class SpecError(GanzooError, ValueError):
    """A Spec, or a part of one, breaks the language.

    `problems` has one `(path, message)` for each mistake; the path is the one of the JSON form,
    such as `networks.D.layers.0.kernel`, or empty for the whole.
    """

    def __init__(self, problems: str | Iterable[tuple[str, str]]) -> None:
        self.problems: list[tuple[str, str]] = (
            [("", problems)] if isinstance(problems, str) else list(problems)
        )
        lines = [f"{path}: {message}" if path else message for path, message in self.problems]
        shown = [line if len(line) <= LONG else f"{line[:LONG]} ..." for line in lines[:MANY]]
        if len(lines) > MANY:
            shown.append(f"... and {len(lines) - MANY:,} more")
        super().__init__("\n".join(shown))


class ShapeError(SpecError):
    """Tensors do not fit together."""


class UnknownNameError(GanzooError):
    """A name that nothing has."""


class PluginError(GanzooError):
    """A plugin is missing, broken, or clashes with another."""


class DataError(GanzooError):
    """A data set cannot be read, or lacks what is needed."""


class PictureError(DataError):
    """A picture that cannot be read: `file`, and the `reason` why."""

    def __init__(self, file: object, reason: object) -> None:
        self.file, self.reason = str(file), plain(reason)
        super().__init__(
            f"the picture {self.file!r} cannot be read ({self.reason}); repair or remove it"
        )


class TrainingError(GanzooError):
    """A run cannot start, go on or resume."""


class ElsewhereError(TrainingError):
    """Another process of the same run failed, and says why."""


class NonFiniteError(TrainingError):
    """A loss term became NaN or infinite.

    `term` is its path (`stage.update.term`), `step` the first step at which it happened,
    `checkpoint` the last good checkpoint (None: none was written), `advice` how to change its
    expression, if it is undefined for some numbers.
    """

    def __init__(self, term: str, step: int, checkpoint: str | None, advice: str = "") -> None:
        self.term, self.step, self.checkpoint = term, step, checkpoint
        kept = (
            f"the last good checkpoint is {checkpoint}"
            if checkpoint
            else "no checkpoint had been written"
        )
        super().__init__(
            f"loss term {term!r} is not finite at step {step}; {kept}. "
            + (advice or "Lower the learning rate, or train with --precision fp32")
        )


class StoreError(GanzooError):
    """A model folder is incomplete, foreign, or of a newer format."""


class IntegrityError(StoreError):
    """Files that are not the ones that config.json, or the hub's record, names."""


class HubError(GanzooError):
    """The Hugging Face Hub cannot fulfil, or refuses, a request."""


class UnreachableError(HubError):
    """The hub does not answer, or must not be asked."""


class NotFoundError(HubError):
    """No such repository, revision or file, as far as this token may see."""


class AccessError(HubError):
    """No token, or one that may not do this."""


class MovedError(HubError):
    """The repository has changed since it was looked at."""


class TaskError(GanzooError):
    """A trained model cannot do what was requested."""


class MetricError(GanzooError):
    """A model cannot be measured, or its figures cannot be read."""


def nearest(name: str, allowed: Iterable[str]) -> str:
    """`; did you mean 'x'?` if something close to `name` is allowed, else `;`.

    Every message continues after it: with what is allowed, or what to do next.
    """
    close = get_close_matches(str(name)[:100], list(allowed), n=1, cutoff=0.6)
    return f"; did you mean {close[0]!r}?" if close else ";"


def choices(allowed: Iterable[str], limit: int = 30) -> str:
    """`'a', 'b', 'c'`, sorted, cut after `limit` names."""
    names = sorted(allowed)
    text = ", ".join(repr(name) for name in names[:limit])
    return (text or "none") + (f", ... ({len(names)} in all)" if len(names) > limit else "")


def plain(text: object, limit: int = 200) -> str:
    """Untrusted text on one line of a message: no control characters, of limited length."""
    line = "".join(letter if letter.isprintable() else " " for letter in str(text)[: 4 * limit])
    line = " ".join(line.split())
    return line if len(line) <= limit else line[: limit - 3] + "..."
