"""hub-ui demo: the app on the local hubs, without an account, internet or GPU."""

import logging
import os
import tempfile
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated

from hub_ui import services, settings
from hub_ui.app import serving
from hub_ui.commands.hubs import DataFolder, check_port, hub_data, stop_signals, wait
from hub_ui.commands.options import flag
from hub_ui.commands.serve import AppPort, LogOption, McpFlag, check_mcp, start_log
from hub_ui.demo.hubs.folder import Origins
from hub_ui.demo.hubs.server import running_hubs
from hub_ui.keys import Keys, KeyStore
from hub_ui.settings import Settings
from hub_ui.terminal import Terminal

# Seconds per run on the local Replicate: long enough to see the progress and to cancel.
_RUN_SECONDS = 4.0

# The local Replicate needs a key, and accepts any.
_REPLICATE_KEY = "r8_demo"


@dataclass(frozen=True, kw_only=True)
class Demo:
    port: AppPort = None
    data: DataFolder = None
    no_browser: Annotated[bool, flag("--no-browser", "Print the address without opening it.")] = False
    mcp: McpFlag = False
    log: LogOption = None

    def run(self, terminal: Terminal) -> int:
        own = settings.from_environment(os.environ)
        home = own.home
        data = hub_data(self.data)
        check_port("127.0.0.1", self.port)
        check_mcp(self.mcp)
        (home / "demo").mkdir(parents=True, exist_ok=True)
        with (
            start_log(self.log, terminal),
            stop_signals() as stop,
            running_hubs(data, run_seconds=_RUN_SECONDS) as hubs,
            # The hubs use new ports every time, so the cache is valid for one run only.
            tempfile.TemporaryDirectory(prefix="run-", dir=home / "demo", ignore_cleanup_errors=True) as folder,
            services.build(
                replace(demo_settings(Path(folder), home / "demo" / "loras", hubs), stop_seconds=own.stop_seconds)
            ) as built,
            serving(built, port=self.port, open_browser=not self.no_browser, agents=self.mcp) as url,
        ):
            terminal.line(f"hub-ui demo: {url}  (Ctrl-C stops it)")
            if self.mcp:
                terminal.line(f"MCP: {url}gradio_api/mcp/")
            terminal.out.flush()
            # Now that the page answers, before somebody asks for an image.
            built.generation.local.prepare()
            wait(stop)
            built.lifecycle.stop(stop.hurry)
            # Gradio enables uvicorn's log, which would report every closed connection.
            logging.getLogger("uvicorn.error").setLevel(logging.CRITICAL)
        return 0


def demo_settings(home: Path, library: Path, hubs: Origins) -> Settings:
    # A demo's keys are of no use elsewhere, so they stay out of the person's keyring.
    store = KeyStore(home / "keys.json", has_keyring=False)
    store.put("replicate", _REPLICATE_KEY)
    return Settings(
        home=home,
        library=library,
        lock=library / "loras.lock",
        endpoints={"civitai": hubs.civitai, "huggingface": hubs.huggingface, "replicate": hubs.replicate},
        tokens=Keys({}, store),
        demo=True,
        fixed=frozenset({"civitai", "huggingface", "replicate", "proxy", "library", "home"}),
    )
