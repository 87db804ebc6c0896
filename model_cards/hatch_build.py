"""Put into the wheel every model folder whose licence allows it."""

from pathlib import Path

from hatchling.builders.hooks.plugin.interface import BuildHookInterface


class ModelFolders(BuildHookInterface):
    def initialize(self, version, build_data):
        if version == "editable":
            return
        for config in sorted(Path(self.root).glob("*/config.json")):
            if not commercial(config.parent):
                continue
            for path in sorted(config.parent.iterdir()):
                inside = f"ganzoo_models/models/{config.parent.name}/{path.name}"
                build_data["force_include"][str(path)] = inside


def commercial(folder: Path) -> bool:
    """Whether the card's licence lets everybody use the model; unknown licences do not."""
    head = (folder / "README.md").read_text("utf-8").split("---")[1]
    (licence,) = [
        line.partition(":")[2].strip() for line in head.splitlines() if line.startswith("license:")
    ]
    return "-nc" not in licence.lower() and licence != "other"
