"""A trained model: networks, the Spec that made them, and its tasks."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Literal, overload

import numpy as np
import torch
from torch import Tensor

from ganzoo.data.decoding import Preprocessing
from ganzoo.errors import TaskError
from ganzoo.models import execution, latent_codes, lookup, scoring
from ganzoo.models.config import ModelConfig, Threshold
from ganzoo.models.execution import BATCH
from ganzoo.models.images import Output, image_output, image_tensor
from ganzoo.models.scores import Scores, fit_threshold
from ganzoo.models.task_inputs import given_values, noise_values
from ganzoo.nn.build import parameter_count
from ganzoo.nn.modules import Net
from ganzoo.nn.work import Work
from ganzoo.spec import expression as ex
from ganzoo.spec.draws import Image, Text
from ganzoo.spec.spec import Spec
from ganzoo.spec.tasks import Task

if TYPE_CHECKING:
    from pathlib import Path

    from PIL.Image import Image as Picture

    from ganzoo.models.images import Images
    from ganzoo.publish.push import Published


class Model:
    """A trained model. The tasks of its Spec say what it can do.

    Attributes:
        spec: the Spec. networks: the networks that the tasks need, in evaluation mode.
        config: the facts of its folder; empty for a new model.
        state: the values of the states that the tasks read.
        work: the cost of its tasks' expressions, for one sample, by their text.
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
        self.state: dict[str, Tensor] = dict(state or {})
        self.work, self.limit = dict(work or {}), limit
        for net in self.networks.values():
            net.eval().requires_grad_(False)
            if any(parameter.ndim == 4 for parameter in net.parameters()):
                net.to(memory_format=torch.channels_last)

    # ----------------------------------------------------------------------------- tasks

    @overload
    def generate(
        self,
        n: int | None = None,
        *,
        seed: int = 0,
        output: Literal["pil"] = "pil",
        noise: Mapping[str, Any] | None = None,
        task: str | None = None,
        **given: Any,
    ) -> list[Picture]: ...

    @overload
    def generate(
        self,
        n: int | None = None,
        *,
        seed: int = 0,
        output: Literal["np"],
        noise: Mapping[str, Any] | None = None,
        task: str | None = None,
        **given: Any,
    ) -> np.ndarray: ...

    @overload
    def generate(
        self,
        n: int | None = None,
        *,
        seed: int = 0,
        output: Literal["pt"],
        noise: Mapping[str, Any] | None = None,
        task: str | None = None,
        **given: Any,
    ) -> Tensor: ...

    def generate(
        self,
        n: int | None = None,
        *,
        seed: int = 0,
        output: Output = "pil",
        noise: Mapping[str, Any] | None = None,
        task: str | None = None,
        **given: Any,
    ) -> Images:
        """Draw samples.

        Args:
            n: how many; by default one for each label or text given, else 1.
            seed: of the noise; the first samples of a seed do not depend on `n`.
            output: "pil" for PIL images, "np" for float32 (n, h, w, c) and "pt" for (n, c, h, w),
                both in [0, 1].
            noise: values for noise by name, instead of the seed's: float (n, size).
            task: the name of the task where there are several, such as "stage1"; by default
                the first.
            given: the other inputs of the task, such as `label=3`, `label=range(10)`,
                `text="a red apple"` or several sentences; embedded ones are float (n, size).
                Classes that are noise, and numbers that the task declares, are set by their
                names, such as `c=3` and `psi=0.7`.
        """
        chosen = self.task("generate", task)
        return image_output(self._answer(chosen, given, seed, n, noise), output)

    def encode(
        self, images: Any = None, *, task: str | None = None, seed: int = 0, **given: Any
    ) -> np.ndarray:
        """The codes of images: float32 (n, d).

        Args:
            task: the name of the task where there are several, such as "features"; by
                default the first of kind encode.
            given: other inputs of the task, such as `text=...` where it encodes sentences.
        """
        other = self.spec.tasks.get(task or "")
        if other is not None and other.kind in ("classify", "match"):
            call = f"model.{other.kind}(..., task={task!r})"
            text = f"{task!r} is a task of kind {other.kind}: {call}"
            warnings.warn(text, DeprecationWarning, stacklevel=2)
            return self._rows(other, images, seed, given)
        return self._rows(self.task("encode", task), images, seed, given)

    def classify(
        self, images: Any, *, task: str | None = None, probabilities: bool = False, **given: Any
    ) -> np.ndarray:
        """The class of each image: class numbers, int64 (n,).

        Args:
            task: the name of the task where there are several, such as "colour"; by default the
                first of kind classify.
            probabilities: return those of all classes instead, float32 (n, classes).
            given: other inputs of the task.

        Raises:
            TaskError: the model is not a classifier, or has no such task.
        """
        rows = self._rows(self.task("classify", task), images, 0, given)
        if not probabilities:
            return rows.argmax(1)
        return torch.as_tensor(rows).softmax(1).numpy()

    def match(self, images: Any = None, *, text: Any = None, task: str | None = None) -> np.ndarray:
        """Unit vectors of images or of sentences, float32 (n, d).

        The better an image and a sentence fit, the larger the dot product of their vectors.

        Args:
            images, text: one of them; sentences, or embedded ones, float (n, size).
            task: the name of the task where several take the same input.

        Raises:
            TaskError: the model has no match task, or none for this input.
        """
        if (images is None) == (text is None):
            raise TaskError("give either images or text; their directions are compared")
        if task is None:
            task = lookup.matching(self, Text if images is None else Image)
        given = {} if text is None else {"text": text}
        rows = self._rows(self.task("match", task), images, 0, given)
        return rows / np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), 1e-12)

    def _rows(self, task: Task, images: Any, seed: int, given: dict[str, Any]) -> np.ndarray:
        """The output of a task, float32 (n, d)."""
        given = given | ({} if images is None else {"image": images})
        return self._answer(task, given, seed).flatten(1).cpu().numpy()

    def _answer(
        self,
        task: Task,
        given: Mapping[str, Any],
        seed: int,
        n: int | None = None,
        noise: Mapping[str, Any] | None = None,
    ) -> Tensor:
        """The output of a task for the inputs given; `n` samples where these do not say how
        many."""
        values, n = given_values(self, task, given, n)
        values |= noise_values(self, task, n, seed, noise or {}, values)
        return execution.run(self, task, task.output, values)

    @overload
    def reconstruct(
        self,
        images: Any,
        *,
        task: str | None = None,
        seed: int = 0,
        output: Literal["pil"] = "pil",
        **given: Any,
    ) -> list[Picture]: ...

    @overload
    def reconstruct(
        self,
        images: Any,
        *,
        task: str | None = None,
        seed: int = 0,
        output: Literal["np"],
        **given: Any,
    ) -> np.ndarray: ...

    @overload
    def reconstruct(
        self,
        images: Any,
        *,
        task: str | None = None,
        seed: int = 0,
        output: Literal["pt"],
        **given: Any,
    ) -> Tensor: ...

    def reconstruct(
        self,
        images: Any,
        *,
        task: str | None = None,
        seed: int = 0,
        output: Output = "pil",
        **given: Any,
    ) -> Images:
        """The images, encoded and decoded again.

        Args:
            task: the name of the task where there are several; by default the first.
            given: other inputs of the task, and its numbers.
        """
        chosen = self.task("reconstruct", task)
        return image_output(self._answer(chosen, {"image": images, **given}, seed), output)

    @property
    def latent(self) -> str | None:
        """The encode task whose codes `decode` takes: the one that the first reconstruct task
        goes through, as in `G(E(x))`. None where there is none."""
        return latent_codes.latent(self)

    @overload
    def decode(
        self, codes: Any, *, seed: int = 0, output: Literal["pil"] = "pil"
    ) -> list[Picture]: ...

    @overload
    def decode(self, codes: Any, *, seed: int = 0, output: Literal["np"]) -> np.ndarray: ...

    @overload
    def decode(self, codes: Any, *, seed: int = 0, output: Literal["pt"]) -> Tensor: ...

    def decode(self, codes: Any, *, seed: int = 0, output: Output = "pil") -> Images:
        """Images from codes: the second half of `reconstruct`.

        Args:
            codes: float (n, d), as `encode(images, task=model.latent)` gives them.
            seed: of the noise, where the task draws some.

        Raises:
            TaskError: no task reconstructs from codes, or these are not codes.
        """
        return image_output(latent_codes.decode(self, codes, seed), output)

    @overload
    def translate(
        self, images: Any, *, to: str, seed: int = 0, output: Literal["pil"] = "pil", **given: Any
    ) -> list[Picture]: ...

    @overload
    def translate(
        self, images: Any, *, to: str, seed: int = 0, output: Literal["np"], **given: Any
    ) -> np.ndarray: ...

    @overload
    def translate(
        self, images: Any, *, to: str, seed: int = 0, output: Literal["pt"], **given: Any
    ) -> Tensor: ...

    def translate(
        self, images: Any, *, to: str, seed: int = 0, output: Output = "pil", **given: Any
    ) -> Images:
        """The images in the domain `to`; `given` are other inputs of the task, and its numbers.

        Raises:
            TaskError: the model translates to no domain of that name.
        """
        found = self._answer(self.translation(to), {"image": images, **given}, seed)
        return image_output(found, output)

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

        The score of an image does not depend on the other images, to the last bit.

        Args:
            task: the name of the task where there are several; by default the first.
            seed: of the noise, where the task draws some.
            maps: find the strange places, too.
            given: other inputs of the task, such as `text=...` where it tells how badly an
                image and a sentence fit.

        Raises:
            TaskError: the model has no such task, or the task has no map.
        """
        name, chosen = lookup.named(self, "score", task)
        where, text = None, chosen.map if maps else None
        if maps and text is None:
            raise TaskError(f"the task {name!r} of {self.title} has no map")
        values, n = given_values(self, chosen, {"image": images, **given}, None)
        values |= noise_values(self, chosen, n, seed, {}, values)
        found = scoring.alike(self, chosen, chosen.output, values).flatten().cpu().numpy()
        if text is not None:
            where = scoring.alike(self, chosen, text, values).mean(1).clamp_min(0).cpu().numpy()
        return Scores(found, self.thresholds.get(name), where)

    @property
    def thresholds(self) -> dict[str, float]:
        """The threshold of each score task that has one."""
        return {name: fitted.value for name, fitted in self.config.thresholds.items()}

    def fit_thresholds(self, images: Any) -> None:
        """Fit the threshold of each score task that declares a `quantile`.

        Args:
            images: normal ones that were not trained on.
        """
        fitted: dict[str, Threshold] = dict(self.config.thresholds)
        for name, task in self.tasks("score").items():
            if task.quantile is not None:
                fitted[name] = fit_threshold(self.score(images, task=name).values, task.quantile)
        if fitted:
            self.config = self.config.replace(thresholds=fitted)

    def tasks(self, kind: str) -> dict[str, Task]:
        """The tasks of a kind, by name, without those whose plugin is missing."""
        return {
            name: task
            for name, task in self.spec.tasks.items()
            if task.kind == kind and name not in self.spec.lacking
        }

    def task(self, kind: str, name: str | None = None) -> Task:
        """The task of that kind and name; without a name, the first of the kind.

        Raises:
            TaskError: there is none.
        """
        return lookup.named(self, kind, name)[1]

    def translation(self, to: str) -> Task:
        """The task of kind translate that leads to the domain `to`; TaskError if there is none."""
        return lookup.translation(self, to)

    @property
    def title(self) -> str:
        """Its display name."""
        return self.config.name or self.spec.title or "this model"

    @property
    def weights_sha256(self) -> str:
        """SHA-256 of the file that the weights were read from; empty where there was none."""
        return self.config.weights.sha256 if self.config.weights else ""

    # ---------------------------------------------------------------------------- inputs

    @property
    def preprocessing(self) -> Preprocessing:
        """How pictures are converted: as those that it was trained on."""
        return Preprocessing(**self.config.preprocessing)

    def seen(self, images: Any, draw: Image) -> Tensor:
        """Images as the model sees them: float32 (n, c, h, w) in [0, 1], on the CPU.

        Args:
            images: what the tasks take (`ganzoo.models.images.image_tensor`).
            draw: of the Spec, such as one of those that a task takes.

        Raises:
            TaskError: not images.
        """
        return image_tensor(images, draw, self.preprocessing).add(1).div(2)

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
        return execution.evaluate(self, text, values, known, numbers=numbers, gradients=gradients)

    def outputs(self, text: str, values: Mapping[str, Tensor], batch: int = BATCH) -> Tensor:
        """As `evaluate`, for an expression with one row a sample: in batches, side by side."""
        return execution.outputs(self, text, values, batch)

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
