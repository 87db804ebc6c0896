"""The web demo: see, try and understand every model in the zoo.

    ganzoo demo --model folder_or_name --port 7860

Its pages follow from the tasks that models declare, and no page knows a model by name: a model
from a plugin or a folder unknown to ganzoo gets its page like all others. Gradio comes
with the extra `ganzoo-core[demo]`, and is imported at first use.
"""

from __future__ import annotations

from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

from ganzoo.errors import PluginError

if TYPE_CHECKING:
    from ganzoo.demo.app import build, launch

__all__ = ["build", "launch"]


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    if find_spec("gradio") is None:
        raise PluginError("the demo needs gradio: pip install 'ganzoo-core[demo]'")
    from ganzoo.demo import app

    return getattr(app, name)
