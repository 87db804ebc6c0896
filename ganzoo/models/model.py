"""A trained model: networks, the Spec that made them, and its tasks."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from ganzoo.data.folder import upright
from ganzoo.data.text_encoder import embed
from ganzoo.errors import TaskError, choices, nearest
from ganzoo.models.config import ModelConfig, Threshold
from ganzoo.models.scores import Scores
from ganzoo.models.solving import solve
from ganzoo.nn.build import parameter_count
from ganzoo.nn.functions.distributions import truncate
from ganzoo.nn.interpreter import Evaluator
from ganzoo.nn.modules import Net
from ganzoo.seed import key
from ganzoo.spec import expression as ex
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

    from PIL.Image import Image as Picture

    from ganzoo.publish.push import Published

Output = Literal["pil", "np", "pt"]
BATCH = 256
"""Samples that are computed at once."""
SCORED = 16
"""Images that are scored at once: always so many, so that none depends on its company."""


class Model:
    """A trained model. What it can do is what the tasks of its Spec say.

    Attributes:
        spec: the Spec. networks: the networks that the tasks need, in evaluation mode.
        config: what its folder says about where it comes from; nothing for a fresh one.
        state: the values of the states that the tasks read.
    """

    def __init__(
        self,
        spec: Spec,
        networks: Mapping[str, Net],
        config: ModelConfig | None = None,
        *,
        state: Mapping[str, Tensor] | None = None,
    ) -> None:
        self.spec = spec
        self.networks = dict(networks)
        self.config = (config or ModelConfig(spec=spec)).model_copy(update={"spec": spec})
        self.state = dict(state or {})
        for net in self.networks.values():
            net.eval().requires_grad_(False)

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
        return self._images(torch.cat(parts), output)

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
        """The tasks of a kind by name; none where it can do nothing of the kind."""
        return {name: task for name, task in self.spec.tasks.items() if task.kind == kind}

    def _tasks(self, kind: str) -> dict[str, Task]:
        found = self.tasks(kind)
        if not found:
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
        n = n if n is not None else max(sizes, default=1)
        if not isinstance(n, int) or isinstance(n, bool) or n < 1:
            raise TaskError(f"n is the number of samples, at least 1, not {n!r}")
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
                return image_tensor(value, draw).to(self.device)
            case Label() | Categorical():
                wrong = TaskError(
                    f"{word}: whole numbers from 0 to {draw.classes - 1}, not {value!r}"
                )
                try:
                    labels = _array(value).reshape(-1)
                except (TypeError, ValueError):
                    raise wrong from None
                if labels.dtype.kind not in "iu" or not len(labels):
                    raise wrong
                if labels.min() < 0 or labels.max() >= draw.classes:
                    raise wrong
                return torch.from_numpy(labels.astype(np.int64)).to(self.device)
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
        if gradients:
            with torch.enable_grad():
                return evaluator(text)
        # what is made in inference mode can have no gradient
        with torch.no_grad() if ex.GRADIENT in self.spec.names_in(text) else torch.inference_mode():
            return evaluator(text)

    def outputs(self, text: str, values: Mapping[str, Tensor], batch: int = BATCH) -> Tensor:
        """As `evaluate`, for an expression with one row a sample: in batches, side by side."""
        n = _count(values)
        parts = [self.evaluate(text, _rows(values, i, batch)) for i in range(0, n, batch)]
        return torch.cat(parts)

    def _run(
        self, task: Task, text: str, values: Mapping[str, Tensor], batch: int = BATCH
    ) -> Tensor:
        """An expression of a task, in batches; what the task solves for is found first."""
        if not task.solve:
            return self.outputs(text, values, batch)
        parts: list[Tensor] = []
        for first in range(0, _count(values), batch):
            rows = _rows(values, first, batch)
            parts.append(self.evaluate(text, *solve(self, task, rows)))
        return torch.cat(parts)

    def _alike(self, task: Task, text: str, values: Mapping[str, Tensor]) -> Tensor:
        """As `outputs`, with batches filled up to one size.

        The last bits of a matrix product depend on how many rows there are; a verdict must not.
        """
        n = _count(values)
        wanted = -(-n // SCORED) * SCORED
        filled = {
            name: torch.cat([value, value[:1].expand(wanted - n, *value.shape[1:])])
            if value.ndim
            else value
            for name, value in values.items()
        }
        return self._run(task, text, filled, SCORED)[:n]

    def _images(self, images: Tensor, output: Output) -> Any:
        images = images.add(1).div(2).clamp(0, 1).cpu()
        if output == "pt":
            return images
        array = images.permute(0, 2, 3, 1).contiguous().numpy()
        if output == "np":
            return array
        if output != "pil":
            raise TaskError(f"output is 'pil', 'np' or 'pt', not {output!r}")
        return pictures(array)

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


def pictures(array: np.ndarray) -> list[Picture]:
    """PIL images of floats (n, h, w, c) in [0, 1]; c is 1, 3 or 4."""
    from PIL import Image as pil

    values = (array * 255).round().astype(np.uint8)
    return [pil.fromarray(value[:, :, 0] if value.shape[2] == 1 else value) for value in values]


def image_tensor(images: Any, draw: Image) -> Tensor:
    """People's images as the networks take them: float32 (n, c, h, w) in [-1, 1].

    Takes a path, a PIL image, a float array in [0, 1] or uint8 array (h, w), (h, w, c) or
    (n, h, w, c), a tensor (c, h, w) or (n, c, h, w) in [0, 1], or a sequence of any of these.
    """
    from pathlib import Path

    from PIL import Image as pil

    if isinstance(images, str | Path):
        try:
            with pil.open(images) as file:
                file.load()
                return image_tensor(file, draw)
        except OSError as error:
            raise TaskError(f"cannot read the image {str(images)!r}: {error}") from None
    if isinstance(images, pil.Image):
        picture = upright(images, draw.channels if draw.channels in (1, 3, 4) else 3)
        array = torch.from_numpy(np.array(picture, dtype=np.float32) / 255)
        array = array[None, :, :, None] if array.ndim == 2 else array[None]
        return _fit(array.permute(0, 3, 1, 2), draw)
    if isinstance(images, Tensor):
        value = images if images.ndim == 4 else images[None]
        return _fit(value.float() / (255 if images.dtype == torch.uint8 else 1), draw)
    if isinstance(images, np.ndarray):
        if images.dtype.kind not in "iuf" or images.ndim > 4:
            raise TaskError(
                f"images are (n, h, w, c) of numbers, not {images.shape} {images.dtype}"
            )
        value = torch.from_numpy(
            images.astype(np.float32) / (255 if images.dtype == np.uint8 else 1)
        )
        if value.ndim == 2:
            value = value[:, :, None]
        value = value if value.ndim == 4 else value[None]
        return _fit(value.permute(0, 3, 1, 2), draw)
    try:
        items = list(images)
    except TypeError:
        items = []
    if not items:
        raise TaskError(f"no images in {type(images).__name__} {images!r}")
    return torch.cat([image_tensor(item, draw) for item in items])


def _fit(values: Tensor, draw: Image) -> Tensor:
    """Values (n, c, h, w) in [0, 1] with the channels and the size of the draw, in [-1, 1]."""
    if values.ndim != 4 or 0 in values.shape:
        raise TaskError(f"images are (n, channels, height, width), not {tuple(values.shape)}")
    if not torch.isfinite(values).all() or values.min() < -1e-3 or values.max() > 1 + 1e-3:
        raise TaskError("the values of images are in [0, 1] (or uint8 from 0 to 255)")
    channels, height, width = draw.shape
    if values.shape[1] != channels:
        if values.shape[1] == 1:
            values = values.expand(-1, channels, -1, -1)
        elif channels == 1 and values.shape[1] >= 3:
            weights = values.new_tensor([0.299, 0.587, 0.114]).view(1, 3, 1, 1)
            values = (values[:, :3] * weights).sum(1, keepdim=True)
        elif channels == 3 and values.shape[1] == 4:
            values = values[:, :3] * values[:, 3:] + (1 - values[:, 3:])
        else:
            raise TaskError(f"this model takes {channels} channels, not {values.shape[1]}")
    if values.shape[2:] != (height, width):
        values = F.interpolate(values, size=(height, width), mode="bilinear", antialias=True)
    return values.clamp(0, 1).mul(2).sub(1)


def _word(name: str, draw: Any) -> str:
    """How callers name an input: its kind, and classes that are noise their own name."""
    return name if isinstance(draw, Categorical) else draw.kind
