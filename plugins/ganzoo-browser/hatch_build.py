"""Puts the runtime into the wheel; in a checkout it is fetched on demand."""

import sys
from pathlib import Path

from hatchling.builders.hooks.plugin.interface import BuildHookInterface


class Runtime(BuildHookInterface):
    def initialize(self, version, build_data):
        if version == "editable":
            return
        sys.path.insert(0, self.root)
        from ganzoo_browser import fetch

        fetch(Path(self.root) / "ganzoo_browser" / "runtime")
