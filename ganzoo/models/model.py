"""A trained model: networks, the Spec that made them, and its tasks."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from functools import reduce
from operator import index
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import torch
from torch import Tensor

from ganzoo.data.decoding import Preprocessing
from ganzoo.data.text_encoder import embed
from ganzoo.errors import PluginError, TaskError, choices, nearest
from ganzoo.models.config import ModelConfig, Threshold, lacks
from ganzoo.models.images import image_tensor, pil_images
from ganzoo.models.labels import class_numbers
from ganzoo.models.scores import Scores
from ganzoo.models.solving import solve
from ganzoo.nn.build import parameter_count
from ganzoo.nn.functions.distributions import truncate
from ganzoo.nn.interpreter import Evaluator
from ganzoo.nn.modules import Net
from ganzoo.nn.work import Work
from ganzoo.seed import key
from ganzoo.spec import expression as ex
from ganzoo.spec import vocabulary
from ganzoo.spec.draws import (
    DATA,
    NOISE,
    WHOLE,
    Categorical,
    Image,
    Label,
    Normal,
    Text,
    Uniform,
    tensor_shape,
)
from ganzoo.spec.spec import Spec
from ganzoo.spec.tasks import Task

if TYPE_CHECKING:
    from pathlib import Path

    from ganzoo.publish.push import Published

Output = Literal["pil", "np", "pt"]
BATCH = 256
"""Samples that are computed at once."""
SCORED = (64, 32, 16)
"""Images that are scored at once: of a model always as many, so that none depends on its company.
More are little faster, and one alone costs as much as all; the last number is of large models."""
SCORED_OPERATIONS, SCORED_BYTES = 2e10, 5e8
"""What the images that are scored at once may cost, unless they are the fewest."""


class Model:
    """A trained model. What it can do is what the tasks of its Spec say.

    Attributes:
        spec: the Spec. networks: the networks that the tasks need, in evaluation mode.
        config: what its folder says about where it comes from; nothing for a fresh one.
        state: the values of the states that the tasks read.
        work: what the expressions of its tasks cost, of one sample, by their text.
        limit: how many times the usual work a task may take; None for a model made here.
    """

    def __init__(
        self,
        spec: Spec,
        networks: Mapping[str, Net],
        config: ModelConfig | None = None,
        *,
        state: Mapping[str, Tensor] | None = None,
        work: Mapping[str, Work] | None = None,
        limit: float | None = None,
    ) -> None:
        self.spec = spec
        self.networks = dict(networks)
        self.config = (config or ModelConfig(spec=spec)).model_copy(update={"spec": spec})
        self.state = dict(state or {})
        self.work, self.limit = dict(work or {}), limit
        for net in self.networks.values():
            net.eval().requires_grad_(False)
            if any(parameter.ndim == 4 for parameter in net.parameters()):
                net.to(memory_format=torch.channels_last)

    # ----------------------------------------------------------------------------- tasks

    def generate(
        self,
        n: int | None = None,
        *,
        seed: int = 0,
        output: Output = "pil",
        noise: Mapping[str, Any] | None = None,
        task: str | None = None,
        **given: Any,
    ) -> Any:
        """Draw samples.

        Args:
            n: how many; by default one for each label or text given, else 1.
            seed: of the noise; the first samples of a seed do not depend on `n`.
            output: "pil" for PIL images, "np" for float32 (n, h, w, c) and "pt" for (n, c, h, w),
                both in [0, 1].
            noise: values for noise by name, in place of the seed's: float (n, size).
            task: the name of the task where there are several, such as "stage1"; by default
                the first.
            given: the other inputs of the task, such as `label=3`, `label=range(10)`,
                `text="a red apple"` or several sentences; embedded ones are float (n, size).
                Classes that are noise, and numbers that the task declares, are set by their
                names, such as `c=3` and `psi=0.7`.
        """
        chosen = self.task("generate", task)
        values, n = self._given(chosen, given, n)
        values |= self._noise(chosen, n, seed, noise or {}, values)
        return self._images(self._run(chosen, chosen.output, values), output)

    def encode(
        self, images: Any = None, *, task: str | None = None, seed: int = 0, **given: Any
    ) -> np.ndarray:
        """The codes of images: float32 (n, d).

        Args:
            task: the name of the task where there are several, such as "features"; by
                default the first of kind encode.
            given: other inputs of the task, such as `text=...` where it encodes sentences.
        """
        other = self.spec.tasks.get(task) if task else None
        if other is not None and other.kind in ("classify", "match"):
            word = f"model.{other.kind}(..., task={task!r})"
            warnings.warn(
                f"{task!r} is a task of kind {other.kind}: {word}", DeprecationWarning, stacklevel=2
            )
            return self._rows(other, images, seed, given)
        return self._rows(self.task("encode", task), images, seed, given)

    def classify(
        self,
        images: Any,
        *,
        task: str | None = None,
        probabilities: bool = False,
        **given: Any,
    ) -> np.ndarray:
        """The class of each image: class numbers, int64 (n,).

        Args:
            task: the name of the task where there are several, such as "colour"; by default the
                first of kind classify.
            probabilities: give those of all classes in place, float32 (n, classes).
            given: other inputs of the task.

        Raises:
            TaskError: the model is no classifier, or has no such task.
        """
        rows = self._rows(self.task("classify", task), images, 0, given)
        if not probabilities:
            return rows.argmax(1)
        return torch.from_numpy(rows).softmax(1).numpy()

    def match(self, images: Any = None, *, text: Any = None, task: str | None = None) -> np.ndarray:
        """Directions of images or of sentences, float32 (n, d), of length 1.

        The product of an image's and a sentence's is the larger, the better the two fit.

        Args:
            images, text: one of them; sentences, or embedded ones, float (n, size).
            task: the name of the task where several take the same.

        Raises:
            TaskError: the model matches nothing, or not what is given.
        """
        if (images is None) == (text is None):
            raise TaskError("give either images or text; their directions are compared")
        if task is None:
            task = self._matching(Text if images is None else Image)
        given = {} if text is None else {"text": text}
        rows = self._rows(self.task("match", task), images, 0, given)
        return rows / np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), 1e-12)

    def _matching(self, kind: type[Image] | type[Text]) -> str:
        """The first match task that takes an image, or a sentence."""
        for name, task in self._tasks("match").items():
            draws = map(self.spec.draws.__getitem__, self.spec.draws_of(task))
            if any(isinstance(draw, kind) for draw in draws):
                return name
        what = "images" if kind is Image else "sentences"
        raise TaskError(f"{self.title} has no task of kind match for {what}")

    def _rows(self, task: Task, images: Any, seed: int, given: dict[str, Any]) -> np.ndarray:
        """What a task gives, float32 (n, d)."""
        given = given | ({} if images is None else {"image": images})
        values, n = self._given(task, given, None)
        values |= self._noise(task, n, seed, {}, values)
        return self._run(task, task.output, values).flatten(1).cpu().numpy()

    def reconstruct(
        self,
        images: Any,
        *,
        task: str | None = None,
        seed: int = 0,
        output: Output = "pil",
        **given: Any,
    ) -> Any:
        """The images, encoded and decoded again.

        Args:
            task: the name of the task where there are several; by default the first.
            given: other inputs of the task, and its numbers.
        """
        chosen = self.task("reconstruct", task)
        values, n = self._given(chosen, {"image": images, **given}, None)
        values |= self._noise(chosen, n, seed, {}, values)
        return self._images(self._run(chosen, chosen.output, values), output)

    @property
    def latent(self) -> str | None:
        """The encode task whose codes `decode` takes: the one that the first reconstruct task
        goes through, as in `G(E(x))`. None where there is no such way."""
        return next(
            (
                name
                for name, task in self.tasks("encode").items()
                if self.tasks("reconstruct") and self._goes_through(task)
            ),
            None,
        )

    def decode(self, codes: Any, *, seed: int = 0, output: Output = "pil") -> Any:
        """Images of codes: what `reconstruct` makes of them on its second half.

        Args:
            codes: float (n, d), as `encode(images, task=model.latent)` gives them.
            seed: of the noise, where the task draws some.

        Raises:
            TaskError: no task reconstructs from codes, or these are none.
        """
        name = self.latent
        if name is None:
            raise TaskError(f"{self.title} has no codes that it makes images of")
        encoding, task = self.task("encode", name), self.task("reconstruct")
        shape = self._code_shape(encoding)
        wanted = f"codes are float (n, {shape.numel()})"
        rows = np.atleast_2d(_floats(codes, wanted))
        if rows.shape != (len(rows), shape.numel()) or not len(rows):
            raise TaskError(f"{wanted}, not {rows.shape}")
        given = torch.from_numpy(rows).to(self.device).reshape(-1, *shape)
        known = self.spec.meaning(encoding.output)
        noise = self._noise(task, len(given), seed, {}, {})
        parts: list[Tensor] = []
        for first in range(0, len(given), BATCH):
            some = _rows(noise, first, BATCH)
            code = given[first : first + BATCH]
            values = {**some, "": code}
            parts.append(self.evaluate(task.output, values, {known: code}, numbers=task.numbers))
        return self._images(self._finite(torch.cat(parts), task.output), output)

    def _goes_through(self, encoding: Task) -> bool:
        """Whether its code is all of the data that the first reconstruct task needs."""
        code, seen = self.spec.meaning(encoding.output), False
        pending, visited = [self.spec.meaning(self.task("reconstruct").output)], set[Any]()
        while pending:
            node = pending.pop()
            if node == code:
                seen = True
            elif isinstance(node, ex.Name) and node.name in self.spec.let:
                if node.name not in visited:
                    visited.add(node.name)
                    pending.append(self.spec.meaning(node.name))
            elif isinstance(node, ex.Name) and isinstance(self.spec.draws.get(node.name), DATA):
                return False
            else:
                pending += ex.parts(node)
        return seen

    def _code_shape(self, encoding: Task) -> torch.Size:
        """The shape of one code, before it is laid flat."""
        values: dict[str, Tensor] = {}
        for name in self.spec.draws_in(encoding.output):
            draw = self.spec.draws[name]
            whole = isinstance(draw, WHOLE)
            shape = (1, *tensor_shape(draw))
            values[name] = torch.zeros(
                shape, dtype=torch.int64 if whole else torch.float32, device=self.device
            )
        found = self.evaluate(encoding.output, values, numbers=encoding.numbers)
        return found.shape[1:]

    def translate(
        self, images: Any, *, to: str, seed: int = 0, output: Output = "pil", **given: Any
    ) -> Any:
        """The images in the domain `to`; `given` are other inputs of the task, and its numbers.

        Raises:
            TaskError: the model translates to no domain of that name.
        """
        task = self.translation(to)
        values, n = self._given(task, {"image": images, **given}, None)
        values |= self._noise(task, n, seed, {}, values)
        return self._images(self._run(task, task.output, values), output)

    def score(
        self,
        images: Any,
        *,
        task: str | None = None,
        seed: int = 0,
        maps: bool = False,
        **given: Any,
    ) -> Scores:
        """How strange each image is: `values`, `threshold` and `is_anomaly`.

        An image gets the same score, to the last bit, alone and in any company.

        Args:
            task: the name of the task where there are several; by default the first.
            seed: of the noise, where the task draws some.
            maps: find where the strangeness is, too.
            given: other inputs of the task, such as `text=...` where it tells how badly an
                image and a sentence fit.

        Raises:
            TaskError: the model has no such task, or the task has no map.
        """
        name, chosen = self._named("score", task)
        if maps and chosen.map is None:
            raise TaskError(f"the task {name!r} of {self.title} has no map")
        values, n = self._given(chosen, {"image": images, **given}, None)
        values |= self._noise(chosen, n, seed, {}, values)
        found = self._alike(chosen, chosen.output, values).flatten().cpu().numpy()
        where = None
        if maps and chosen.map is not None:
            where = self._alike(chosen, chosen.map, values).mean(1).clamp_min(0).cpu().numpy()
        return Scores(found, self.thresholds.get(name), where)

    @property
    def thresholds(self) -> dict[str, float]:
        """The threshold of each score task that has one."""
        return {name: fitted.value for name, fitted in self.config.thresholds.items()}

    def fit_thresholds(self, images: Any) -> None:
        """Fit the threshold of each score task that declares a `quantile`.

        Args:
            images: normal ones that training has not seen.
        """
        fitted: dict[str, Threshold] = dict(self.config.thresholds)
        for name, task in self.tasks("score").items():
            if task.quantile is not None:
                values = self.score(images, task=name).values
                threshold = float(np.quantile(values, task.quantile, method="higher"))
                fitted[name] = Threshold(
                    value=threshold, quantile=task.quantile, images=len(values)
                )
        if fitted:
            self.config = self.config.replace(thresholds=fitted)

    def tasks(self, kind: str) -> dict[str, Task]:
        """The tasks of a kind that can be asked, by name; none where it can do nothing of the
        kind, or lacks the plugin to."""
        return {
            name: task
            for name, task in self.spec.tasks.items()
            if task.kind == kind and name not in self.spec.lacking
        }

    def _tasks(self, kind: str) -> dict[str, Task]:
        found = self.tasks(kind)
        if not found:
            lacking = [name for name in self.spec.lacking if self.spec.tasks[name].kind == kind]
            if lacking:
                raise PluginError(lacks(self.config, f"the task {lacking[0]!r}", lacking[0]))
            can = choices({task.kind for task in self.spec.tasks.values()})
            raise TaskError(
                f"{self.title} cannot {kind}; it can: {can}. `ganzoo models` says what others can"
            )
        return found

    def task(self, kind: str, name: str | None = None) -> Task:
        """The task of that kind and name; without a name, the first of the kind.

        Raises:
            TaskError: there is none.
        """
        return self._named(kind, name)[1]

    def _named(self, kind: str, name: str | None) -> tuple[str, Task]:
        """A task with its name; without a name, the first of its kind."""
        found = self._tasks(kind)
        if name is None:
            return next(iter(found.items()))
        if name in self.spec.lacking:
            raise PluginError(lacks(self.config, f"the task {name!r}", name))
        if name not in found:
            raise TaskError(
                f"{self.title} has no task {name!r} of kind {kind}{nearest(name, found)} "
                f"it has: {choices(found)}"
            )
        return name, found[name]

    def translation(self, to: str) -> Task:
        """The task of kind translate that leads to the domain `to`; TaskError if there is none."""
        tasks = {task.to: task for task in self._tasks("translate").values()}
        if to not in tasks:
            raise TaskError(
                f"no domain {to!r}{nearest(to, map(str, tasks))} this model translates to "
                f"{choices(map(str, tasks))}"
            )
        return tasks[to]

    @property
    def title(self) -> str:
        """Its name for people."""
        return self.config.name or self.spec.title or "this model"

    @property
    def weights_sha256(self) -> str:
        """SHA-256 of the file that the weights were read from; empty where there was none."""
        return self.config.weights.sha256 if self.config.weights else ""

    # ---------------------------------------------------------------------------- inputs

    @property
    def preprocessing(self) -> Preprocessing:
        """How pictures are made to fit: as those were that it was trained on."""
        return Preprocessing(**self.config.preprocessing)

    def seen(self, images: Any, draw: Image) -> Tensor:
        """Images as the model sees them: float32 (n, c, h, w) in [0, 1], on the CPU.

        Args:
            images: what the tasks take (`ganzoo.models.images.image_tensor`).
            draw: of the Spec, such as one of those that a task takes.

        Raises:
            TaskError: these are no images.
        """
        return image_tensor(images, draw, self.preprocessing).add(1).div(2)

    def _given(
        self, task: Task, given: dict[str, Any], n: int | None
    ) -> tuple[dict[str, Tensor], int]:
        """The values of the data's draws, of classes and of numbers that callers may set, and how
        many samples they make. Classes that are not given are drawn, and not here."""
        draws = {
            name: self.spec.draws[name]
            for name in self.spec.draws_of(task)
            if isinstance(self.spec.draws[name], DATA)
            or (isinstance(self.spec.draws[name], Categorical) and name in given)
        }
        words = {name: _word(name, draw) for name, draw in draws.items()}
        numbers = {
            name: self._number(name, given.pop(name, number))
            for name, number in task.numbers.items()
        }
        for word in given:
            if word not in words.values():
                chosen = [n for n in self.spec.draws_of(task)
                          if isinstance(self.spec.draws[n], Categorical)]  # fmt: skip
                allowed = [*words.values(), *chosen, *task.numbers]
                allowed += ["n", "seed", "output", "noise", "task"]
                raise TaskError(
                    f"{self.title} takes no {word!r}{nearest(word, allowed)} "
                    f"it takes: {choices(allowed)}"
                )
        values: dict[str, Tensor] = {}
        for name, draw in draws.items():
            if words[name] not in given:
                raise TaskError(f"{self.title} needs {words[name]}=...")
            values[name] = self._value(words[name], draw, given[words[name]])
        sizes = {value.shape[0] for value in values.values()}
        n = _how_many(n) if n is not None else max(sizes, default=1)
        for name, value in values.items():
            if value.shape[0] == 1:
                values[name] = value.expand(n, *value.shape[1:])
            elif value.shape[0] != n:
                raise TaskError(f"{words[name]} has {value.shape[0]} entries, and n is {n}")
        return {**values, **numbers}, n

    def _number(self, name: str, value: Any) -> Tensor:
        """A number that a task declares, as a tensor without axes."""
        wrong = TaskError(f"{name} is one finite number, not {value!r}")
        try:
            number = float(value)
        except (TypeError, ValueError):
            raise wrong from None
        if not np.isfinite(number):
            raise wrong
        return torch.tensor(number, device=self.device)

    def _value(self, word: str, draw: Any, value: Any) -> Tensor:
        match draw:
            case Image():
                return image_tensor(value, draw, self.preprocessing).to(self.device)
            case Label() | Categorical():
                return torch.from_numpy(class_numbers(word, draw, value)).to(self.device)
            case _:
                wanted = f"{draw.kind}: float (n, {draw.size})"
                if isinstance(draw, Text) and (sentences := _sentences(value)):
                    value = embed(sentences, draw.encoder)
                rows = np.atleast_2d(_floats(value, wanted))
                if rows.shape != (len(rows), draw.size) or not len(rows):
                    raise TaskError(f"{wanted}, not {rows.shape}")
                return torch.from_numpy(rows).to(self.device)

    def _noise(
        self,
        task: Task,
        n: int,
        seed: int,
        given: Mapping[str, Any],
        known: Mapping[str, Any],
    ) -> dict[str, Tensor]:
        """The noise of a task: as `given` by name, else of the seed; none that is `known`."""
        names = [
            name
            for name in self.spec.draws_of(task)
            if isinstance(self.spec.draws[name], NOISE) and name not in known
        ]
        for name in given:
            if name not in names:
                raise TaskError(
                    f"no noise {name!r}{nearest(name, names)} allowed: {choices(names)}"
                )
        values: dict[str, Tensor] = {}
        for name in names:
            draw = self.spec.draws[name]
            assert isinstance(draw, NOISE)
            if name in given and isinstance(draw, Categorical):
                value = self._value(name, draw, given[name])
            elif name in given:
                shape = (n, *tensor_shape(draw))
                wanted = f"noise {name!r} is float {shape}"
                value = torch.from_numpy(_floats(given[name], wanted))
                if value.shape != shape:
                    raise TaskError(f"{wanted}, not {tuple(value.shape)}")
            else:
                # what is sought starts from one point, whoever else is asked for
                rows = 1 if name in task.solve else n
                value = sample_noise(draw, rows, seed, name)
                value = value.expand(n, *value.shape[1:])
            values[name] = value.to(self.device)
        return values

    # --------------------------------------------------------------------------- running

    @property
    def device(self) -> torch.device:
        return next(
            (p.device for net in self.networks.values() for p in net.parameters()),
            torch.device("cpu"),
        )

    def to(self, device: str | torch.device) -> Model:
        """The same model, moved to `device`."""
        for net in self.networks.values():
            net.to(device)
        self.state = {name: value.to(device) for name, value in self.state.items()}
        return self

    def evaluate(
        self,
        text: str,
        values: Mapping[str, Tensor],
        known: Mapping[ex.Expression, Tensor] | None = None,
        *,
        numbers: Mapping[str, Any] | None = None,
        gradients: bool = False,
    ) -> Any:
        """The value of any expression over the model's draws, states and networks.

        Args:
            values: a tensor for each draw that it needs: images (n, c, h, w) in [-1, 1].
            known: the values of expressions in it, which are not computed.
            numbers: those of a task, by name.
            gradients: keep what gradients with respect to `values` and `known` need.
        """

        def call(name: str, inputs: Sequence[Tensor], output: str | None) -> Tensor:
            return self.networks[name](*inputs, outputs=(output or "",))

        batches = {name: value for name, value in values.items() if value.ndim}
        evaluator = Evaluator(
            self.spec, call, batches, lambda *shape: torch.rand(*shape, device=self.device), known,
            recall=lambda name: self.state[name], whole=self.networks.__getitem__,
        )  # fmt: skip
        evaluator.values |= {name: value for name, value in values.items() if not value.ndim}
        for name, number in (numbers or {}).items():
            evaluator.values.setdefault(name, torch.tensor(float(number), device=self.device))
        self._at_once(text, 1)
        if gradients:
            with torch.enable_grad():
                return evaluator(text)
        # what is made in inference mode can have no gradient
        with torch.no_grad() if self._differentiates(text) else torch.inference_mode():
            found = evaluator(text)
        return found.detach() if isinstance(found, Tensor) else found

    def _differentiates(self, text: str) -> bool:
        """Whether an expression takes gradients: of itself, or in a function of a network."""
        spec = self.spec
        names = spec.names_in(text) - {*spec.networks, *spec.draws, *spec.let, *spec.state}
        functions = (vocabulary.function(name) for name in names - {ex.GRADIENT})
        return ex.GRADIENT in names or any(f is not None and f.networks for f in functions)

    def outputs(self, text: str, values: Mapping[str, Tensor], batch: int = BATCH) -> Tensor:
        """As `evaluate`, for an expression with one row a sample: in batches, side by side."""
        n, step = _count(values), self._at_once(text, batch)
        parts = [self.evaluate(text, _rows(values, i, step)) for i in range(0, n, step)]
        return torch.cat(parts)

    def _at_once(self, text: str, batch: int, *, exact: bool = False) -> int:
        """How many samples of an expression are computed at once, of `batch` at most.

        Raises:
            TaskError: one is too much work for a model that was loaded; `exact`: all of them.
        """
        work = self.work.get(text)
        if work is None:
            return batch
        if ex.GRADIENT in self.spec.names_in(text):
            work = work.with_gradients()
        if self.limit is not None:
            work.check(f"{text!r} of {self.title}", batch if exact else 1, self.limit)
        return batch if exact else work.batch(batch, self.limit or 1)

    def _run(
        self, task: Task, text: str, values: Mapping[str, Tensor], batch: int = BATCH
    ) -> Tensor:
        """An expression of a task, in batches; what the task solves for is found first."""
        if not task.solve:
            return self._finite(self.outputs(text, values, batch), text)
        if self.limit is not None and task.minimize in self.work:
            work = self.work[task.minimize].with_gradients(task.steps)
            work.check(f"{task.minimize!r} of {self.title}", 1, self.limit)
        parts: list[Tensor] = []
        for first in range(0, _count(values), batch):
            rows = _rows(values, first, batch)
            parts.append(self.evaluate(text, *solve(self, task, rows)))
        return self._finite(torch.cat(parts), text)

    def _finite(self, values: Tensor, text: str) -> Tensor:
        """The same values; TaskError where some are not finite."""
        if not torch.isfinite(values).all():
            raise TaskError(
                f"{text!r} of {self.title} comes to numbers that are not finite (NaN or infinite): "
                "its weights, or what it was given, are out of any sensible range"
            )
        return values

    def _alike(self, task: Task, text: str, values: Mapping[str, Tensor]) -> Tensor:
        """As `outputs`, with batches filled up to one size.

        The last bits of a matrix product depend on how many rows there are; a verdict must not.
        """
        n, at_once = _count(values), self.scored_at_once
        self._at_once(text, at_once, exact=True)
        wanted = -(-n // at_once) * at_once
        filled = {
            name: torch.cat([value, value[:1].expand(wanted - n, *value.shape[1:])])
            if value.ndim
            else value
            for name, value in values.items()
        }
        return self._run(task, text, filled, at_once)[:n]

    @property
    def scored_at_once(self) -> int:
        """How many images are scored at once: as its networks have it, and nothing else."""
        work = reduce(Work.then, (net.work for net in self.networks.values()), Work())
        return next(
            (
                size
                for size in SCORED[:-1]
                if size * work.operations <= SCORED_OPERATIONS
                and 4 * size * work.most <= SCORED_BYTES
            ),
            SCORED[-1],
        )

    def _images(self, images: Tensor, output: Output) -> Any:
        images = images.add(1).div(2).clamp(0, 1).cpu()
        if output == "pt":
            return images
        array = images.permute(0, 2, 3, 1).contiguous().numpy()
        if output == "np":
            return array
        if output != "pil":
            raise TaskError(f"output is 'pil', 'np' or 'pt', not {output!r}")
        return pil_images(array)

    # --------------------------------------------------------------------------- keeping

    def save_pretrained(self, folder: str | Path, **facts: Any) -> None:
        """Write the model folder; takes what `ganzoo.models.store.save` takes."""
        from ganzoo.models import store

        store.save(self, folder, **facts)

    def push_to_hub(
        self,
        repo: str,
        *,
        private: bool | None = None,
        revision: str | None = None,
        create_pr: bool = False,
        token: str | bool | None = None,
        endpoint: str | None = None,
        dry_run: bool = False,
        **options: Any,
    ) -> Published:
        """Publish it on the hub, as `org/name`; where it went, and the commit.

        Saved, loaded back and compared first, then sent in one commit, which is refused where
        the repository moves meanwhile. `ganzoo.publish.push.push_model` says more, and takes
        other options: `parent`, `licence`, `message`, `dtype`.
        """
        from ganzoo.publish import push

        return push.push_model(
            self,
            repo,
            private=private,
            revision=revision,
            create_pr=create_pr,
            token=token,
            endpoint=endpoint,
            dry_run=dry_run,
            **options,
        )

    def __repr__(self) -> str:
        sizes = ", ".join(f"{name} {parameter_count(net):,}" for name, net in self.networks.items())
        return f"<Model {self.title}: {', '.join(self.spec.tasks)}; parameters: {sizes}>"


def sample_noise(draw: Normal | Uniform | Categorical, n: int, seed: int, name: str) -> Tensor:
    """Noise (n, ...) of a seed, row by row, so that the first rows do not depend on `n`.

    Classes are whole numbers (n,).
    """
    generator = torch.Generator().manual_seed(key(seed, "sample", name))
    shape = tensor_shape(draw)
    if isinstance(draw, Categorical):
        return torch.rand(n, generator=generator).mul(draw.classes).long()
    rows = torch.empty(n, *shape)
    for row in rows:
        if isinstance(draw, Normal):
            row.copy_(torch.randn(shape, generator=generator))
        else:
            row.uniform_(draw.low, draw.high, generator=generator)
    if isinstance(draw, Normal) and draw.truncation is not None:
        return truncate(rows, draw.truncation)
    return rows


def _count(values: Mapping[str, Tensor]) -> int:
    """How many samples there are values of."""
    return next(value.shape[0] for value in values.values() if value.ndim)


def _rows(values: Mapping[str, Tensor], first: int, count: int) -> dict[str, Tensor]:
    """Some samples; numbers, without axes, are of all."""
    return {
        name: value[first : first + count] if value.ndim else value
        for name, value in values.items()
    }


def _how_many(n: Any) -> int:
    """How many samples: any whole number of at least 1, NumPy's too."""
    try:
        found = 0 if isinstance(n, bool) else index(n)
    except TypeError:
        found = 0
    if found < 1:
        raise TaskError(f"n is the number of samples, at least 1, not {n!r}")
    return found


def _sentences(value: Any) -> list[str]:
    """The sentences of a text that is given in words; none where it is given in numbers."""
    if isinstance(value, str):
        return [value]
    several = isinstance(value, list | tuple | np.ndarray)
    return list(value) if several and any(isinstance(part, str) for part in value) else []


def _array(value: Any) -> np.ndarray:
    return np.asarray(value.numpy(force=True) if isinstance(value, Tensor) else value)


def _floats(value: Any, wanted: str) -> np.ndarray:
    """Numbers as float32, a copy; a TaskError says what was wanted instead of them."""
    try:
        found = np.array(_array(value), dtype=np.float32)
    except (TypeError, ValueError):
        raise TaskError(f"{wanted}, not {value!r}") from None
    if not np.isfinite(found).all():
        raise TaskError(f"{wanted}, all of them finite")
    return found


def _word(name: str, draw: Any) -> str:
    """How callers name an input: its kind, and classes that are noise their own name."""
    return name if isinstance(draw, Categorical) else draw.kind
