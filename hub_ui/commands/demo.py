"""hub-ui demo: the local hubs and the app on them. No account, no internet, no GPU."""

from __future__ import annotations

import argparse
import logging
import os
import tempfile
from pathlib import Path

from hub_ui import services, settings
from hub_ui.app import serving
from hub_ui.commands.samples import demo_settings, hub_data
from hub_ui.commands.waiting import check_port, until_stopped, wait
from hub_ui.demo.hubs.server import running_hubs
from hub_ui.terminal import Terminal

# How long the local Replicate works at a picture or a training: long enough to see how far it is, and to stop it.
_RUN_SECONDS = 4.0


def run(args: argparse.Namespace, terminal: Terminal) -> int:
    home = settings.from_environment(os.environ).home
    data = hub_data(args.data)
    check_port("127.0.0.1", args.port)
    (home / "demo").mkdir(parents=True, exist_ok=True)
    with (
        until_stopped() as stop,
        running_hubs(data, run_seconds=_RUN_SECONDS) as hubs,
        # The hubs take new ports every time, so what is remembered of them is good for one run only.
        tempfile.TemporaryDirectory(prefix="run-", dir=home / "demo", ignore_cleanup_errors=True) as folder,
        services.build(demo_settings(Path(folder), home / "demo" / "loras", hubs)) as built,
        serving(built, port=args.port, open_browser=not args.no_browser) as url,
    ):
        terminal.line(f"hub-ui demo: {url}  (Ctrl-C stops it)")
        terminal.out.flush()
        wait(stop)
        # Gradio's server has switched on uvicorn's log, which would now tell of every connection that is cut.
        logging.getLogger("uvicorn.error").setLevel(logging.CRITICAL)
    return 0
