"""The web demo: pages that show, explain and train models.

    ganzoo demo --model folder_or_name --port 7860

Pages are selected by the tasks that models declare, and no page knows a model by name, so models
from plugins and folders get their pages like all others. Gradio is installed by the extra
`ganzoo-core[demo]`, and imported at first use.
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
