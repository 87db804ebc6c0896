"""Look-ups by name: variants, losses, and a Spec with another loss or with augmentations."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ganzoo.errors import SpecError
from ganzoo.plugins.host import default
from ganzoo.spec import files
from ganzoo.spec.losses.augment import Augmentation
from ganzoo.spec.losses.loss import Loss
from ganzoo.spec.spec import Spec
from ganzoo.spec.variant import Fields, Variant


def variant(name: str, **settings: Any) -> Variant:
    """The variant of that name with these hyper-parameters: `variant("dcgan", width=32)`.

    Raises:
        UnknownNameError: no installed plugin provides it; names the nearest match.
        SpecError: a setting is unknown or out of range.
    """
    return default().variant(name).parse(settings)


def list_variants() -> list[str]:
    """The names of all variants of the installed plugins, sorted."""
    return sorted(default().variants)


def load_spec(path: str | Path) -> Spec:
    """The Spec in a YAML or JSON file.

    Raises:
        SpecError: the file cannot be read, is not valid YAML or JSON, or breaks the language.
    """
    return files.read(path)


def spec_of(what: Spec | Variant | str | Path, fields: Fields) -> Spec:
    """The Spec of something that is given, for data with these fields.

    Args:
        what: a Spec; a variant; the name of a variant; or a YAML or JSON file with a Spec.

    Raises:
        UnknownNameError: no variant of that name. SpecError, DataError: raised by the variant.
    """
    if isinstance(what, Spec):
        return what
    if isinstance(what, Variant):
        return what.spec(fields)
    if isinstance(what, Path) or files.is_file_name(what):
        return files.read(what)
    return variant(what).spec(fields)


def named(text: str) -> Loss:
    """The loss that `--loss` means: a name, with settings after commas, or a file.

    `hinge`, `rpgan,gamma=2`, `wgan,repeat=3,clip_weights=0.02`, `my-loss.yaml`.

    Raises:
        UnknownNameError: there is no loss of that name. SpecError: a setting is wrong.
    """
    name, *settings = text.split(",")
    loss = Loss.from_dict(files.plain(name)) if files.is_file_name(name) else default().loss(name)
    given: dict[str, str] = {}
    for setting in settings:
        key, equals, value = setting.partition("=")
        if not equals:
            raise SpecError(f"--loss {text}: write name=value after the comma, such as gamma=2")
        given[key.strip()] = value.strip()
    return loss.with_settings(given)


def with_loss(spec: Spec, loss: str | Loss) -> Spec:
    """`spec` with another loss: `with_loss(spec, "hinge")`, `with_loss(spec, "rpgan,gamma=2")`.

    The result is an ordinary Spec. `Loss.applied` says in words what it changed.

    Raises:
        UnknownNameError: there is no loss of that name.
        SpecError: the Spec does not have one generator and one discriminator; says why.
    """
    return (named(loss) if isinstance(loss, str) else loss).apply(spec)


def with_augment(spec: Spec, augment: str) -> Spec:
    """`spec` whose discriminators see augmented images: `with_augment(spec, "diffaugment")`.

    `"ada"` augments with a probability that follows the discriminator (for few images), and
    `"ada,p=0.2"` with a fixed one. The result is an ordinary Spec; `Augmentation.applied` says
    what it changed.

    Raises:
        UnknownNameError: there is no augmentation of that name.
        SpecError: no discriminator sees images, or a probability cannot follow its outputs.
    """
    return Augmentation.named(augment).apply(spec)


def composed(spec: Spec, text: str) -> tuple[Spec, dict[str, Any]]:
    """`spec` with the loss that `--loss` means, and the entry of config.json on it."""
    loss, host = named(text), default()
    made, changes = loss.applied(spec)
    settings: dict[str, Any] = {**loss.numbers, "repeat": loss.repeat}
    if loss.clip_weights:
        settings["clip_weights"] = loss.clip_weights
    facts: dict[str, Any] = {"name": loss.name, "settings": settings}
    word = text.split(",")[0]
    if files.is_file_name(word):
        facts["file"] = Path(word).name
    else:
        facts["plugin"] = host.providers.get(("losses", loss.name), "ganzoo")
    return made, {**facts, "source": loss.source, "changes": list(changes)}
