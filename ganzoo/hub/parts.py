"""Networks of published models as frozen parts of a Spec: their layers, and their weights."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ganzoo.errors import GanzooError, IntegrityError, SpecError, choices, nearest
from ganzoo.hub import from_pretrained, resolve
from ganzoo.models.config import read_config

if TYPE_CHECKING:
    from ganzoo.nn.modules import Net
    from ganzoo.spec.network import Origin


def published(model: str, network: str) -> dict[str, Any]:
    """A network of a published model as plain data: its layers, and its origin.

    Raises:
        UnknownNameError: no such model. SpecError: it publishes no such network.
    """
    config = read_config(resolve(model))
    there = config.spec.published
    if network not in there:
        raise SpecError(
            f"model {model!r} publishes no network {network!r}{nearest(network, there)} "
            f"there is: {choices(there)}"
        )
    assert config.weights is not None  # read_config demands it
    origin = {"model": model, "network": network, "sha256": config.weights.sha256}
    part = config.spec.networks[network].model_dump(mode="json")
    return {**part, "frozen": True, "origin": origin}


def weights(origin: Origin) -> dict[str, Any]:
    """The weights of a network of a published model, by path.

    Raises:
        IntegrityError: they are not those that the Spec was made for.
    """
    model = from_pretrained(origin.model)
    if model.weights_sha256 != origin.sha256:
        raise IntegrityError(
            f"the weights of {origin.model} are {model.weights_sha256[:12]}..., and this Spec is "
            f"pinned to {origin.sha256[:12]}...: they are not the ones that it was made for"
        )
    return dict(model.networks[origin.network].state_dict())


def built(origin: Origin) -> Net | None:
    """A network of a published model without its weights, with the shapes that it is called with.

    None if the model is not at hand, or its weights are not those that the Spec was made for.
    """
    from ganzoo.nn.build import build

    try:
        config = read_config(resolve(origin.model))
        same = config.weights is not None and config.weights.sha256 == origin.sha256
        return build(config.spec, published=True).get(origin.network) if same else None
    except GanzooError:
        return None
