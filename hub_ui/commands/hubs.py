"""hub-ui hubs: only the local hubs, for other programs to talk to."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from connectors.errors import UsageError
from hub_ui.commands import options
from hub_ui.commands.options import option
from hub_ui.commands.serving import check_port, stop_signals, wait
from hub_ui.demo.hubs.folder import SAMPLES
from hub_ui.demo.hubs.server import running_hubs
from hub_ui.terminal import Terminal

DataFolder = Annotated[Path | None, option("DIR", "Recorded hub answers to serve in place of the samples.")]
# Hugging Face, CivitAI, Replicate and the delivery of files, in a row.
_PORTS = 4


@dataclass(frozen=True, kw_only=True)
class Hubs:
    port: Annotated[int, option("P", "The first of four ports. Default: free ones.", options.port)] = 0
    data: DataFolder = None

    def run(self, terminal: Terminal) -> int:
        folder = hub_data(self.data)
        for place in range(_PORTS if self.port else 0):
            check_port("127.0.0.1", self.port + place)
        with stop_signals() as stop, running_hubs(folder, port=self.port) as endpoints:
            # One line, at once: the program that started us reads the addresses from it.
            print(json.dumps(endpoints.as_env()), file=terminal.out, flush=True)
            wait(stop)
        return 0


def hub_data(folder: Path | None) -> Path:
    """The samples without a `folder`. Raises UsageError for one that is not there."""
    if folder is not None and not folder.is_dir():
        raise UsageError(f"--data {folder}: no such folder")
    return folder or SAMPLES
