"""Puts the programs that `make wheel` has built into the wheel, which is then for their system alone."""

import os
from pathlib import Path

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

# The programs are of Go alone. The worker opens the system's C library while it runs, and takes nothing of it that is
# younger than what these names promise.
TAGS = {
    "linux/amd64": "py3-none-manylinux_2_17_x86_64.manylinux2014_x86_64",
    "linux/arm64": "py3-none-manylinux_2_17_aarch64.manylinux2014_aarch64",
    "darwin/arm64": "py3-none-macosx_12_0_arm64",
}


class Programs(BuildHookInterface):
    def initialize(self, version, build_data):
        build_data["force_include"][str(Path(self.root).parent / "LICENSE")] = "byol/LICENSE"
        if version == "editable":
            return  # the programs are those on the PATH
        system, folder = os.environ["BYOL_WHEEL_SYSTEM"], Path(os.environ["BYOL_WHEEL_PROGRAMS"])
        build_data["tag"], build_data["pure_python"] = TAGS[system], False
        for name in ("coordinator", "worker"):
            build_data["shared_scripts"][str(folder / name)] = name
