"""Layers: the closed, typed vocabulary of networks.

There is one file for each family of layers. A layer is declared in one place: its settings, its
output shape and its computation. The table below has all layers that these files export.
"""

from ganzoo.spec.layers import (
    activations,
    attention,
    blocks,
    chance,
    convolution,
    labels,
    learned,
    linear,
    normalisation,
    sizes,
    styles,
)
from ganzoo.spec.layers.activations import *
from ganzoo.spec.layers.attention import *
from ganzoo.spec.layers.blocks import *
from ganzoo.spec.layers.chance import *
from ganzoo.spec.layers.convolution import *
from ganzoo.spec.layers.labels import *
from ganzoo.spec.layers.layer import (
    AnyLayer as AnyLayer,
)
from ganzoo.spec.layers.layer import (
    Layer,
)
from ganzoo.spec.layers.layer import (
    Layers as Layers,
)
from ganzoo.spec.layers.layer import (
    Shape as Shape,
)
from ganzoo.spec.layers.layer import (
    UnknownLayer as UnknownLayer,
)
from ganzoo.spec.layers.learned import *
from ganzoo.spec.layers.linear import *
from ganzoo.spec.layers.normalisation import *
from ganzoo.spec.layers.sizes import *
from ganzoo.spec.layers.styles import *

FAMILIES = (
    linear,
    convolution,
    sizes,
    normalisation,
    activations,
    chance,
    labels,
    blocks,
    learned,
    styles,
    attention,
)

LAYERS: dict[str, type[Layer]] = {
    cls.model_fields["kind"].default: cls
    for family in FAMILIES
    for cls in (getattr(family, name) for name in family.__all__)
}
"""The core's layers by kind."""

__all__ = ["Layer"]
__all__ += linear.__all__
__all__ += convolution.__all__
__all__ += sizes.__all__
__all__ += normalisation.__all__
__all__ += activations.__all__
__all__ += chance.__all__
__all__ += labels.__all__
__all__ += blocks.__all__
__all__ += learned.__all__
__all__ += styles.__all__
__all__ += attention.__all__
