"""hub-ui hubs: only the local hubs, for other programs to talk to."""

from __future__ import annotations

import argparse
import json
import os

from hub_ui import settings
from hub_ui.commands.samples import hub_data
from hub_ui.commands.waiting import until_stopped, wait
from hub_ui.demo.hubs.server import running_hubs
from hub_ui.terminal import Terminal


def run(args: argparse.Namespace, terminal: Terminal) -> int:
    data = hub_data(settings.from_environment(os.environ).home, args.data)
    with until_stopped() as stop, running_hubs(data, port=args.port) as endpoints:
        # One line, at once: the program that started us reads it to know where to ask.
        print(json.dumps(endpoints.as_env()), file=terminal.out, flush=True)
        wait(stop)
    return 0
