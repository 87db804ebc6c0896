"""The published models of ganzoo, as a pack: `pip install ganzoo-models`.

A pack is a plugin whose hook `ganzoo_models` names folders of model folders. Anybody can ship one.
"""

from pathlib import Path

from ganzoo import hookimpl


@hookimpl
def ganzoo_models():
    here = Path(__file__).parent
    packed = here / "models"
    return [packed if packed.is_dir() else here.parent]  # in a wheel, and in a checkout
