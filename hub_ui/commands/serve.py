"""hub-ui serve: the app on the real hubs (or wherever the environment's endpoints point)."""

from __future__ import annotations

import argparse
import os

from hub_ui import services, settings
from hub_ui.app import serving
from hub_ui.commands.waiting import check_port, until_stopped, wait
from hub_ui.terminal import Terminal


def run(args: argparse.Namespace, terminal: Terminal) -> int:
    chosen = settings.from_environment(os.environ, hosted=args.hosted)
    host = args.host or ("0.0.0.0" if args.hosted else "127.0.0.1")
    check_port(host, args.port)
    with (
        until_stopped() as stop,
        services.build(chosen) as built,
        serving(built, host=host, port=args.port, open_browser=not args.hosted) as url,
    ):
        terminal.line(f"hub-ui: {url}  (Ctrl-C stops it)")
        terminal.out.flush()
        wait(stop)
    return 0
