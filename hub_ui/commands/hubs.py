"""hub-ui hubs: only the local hubs, for other programs to talk to."""

from __future__ import annotations

import argparse
import json

from hub_ui.commands.samples import hub_data
from hub_ui.commands.waiting import check_port, until_stopped, wait
from hub_ui.demo.hubs.server import running_hubs
from hub_ui.terminal import Terminal

# Hugging Face, CivitAI, Replicate and the delivery of files, in a row.
_PORTS = 4


def run(args: argparse.Namespace, terminal: Terminal) -> int:
    data = hub_data(args.data)
    for place in range(_PORTS if args.port else 0):
        check_port("127.0.0.1", args.port + place)
    with until_stopped() as stop, running_hubs(data, port=args.port) as endpoints:
        # One line, at once: the program that started us reads it to know where to ask.
        print(json.dumps(endpoints.as_env()), file=terminal.out, flush=True)
        wait(stop)
    return 0
