"""The commands hub-ui serve, which runs the app on the real hubs, and hub-ui demo, which runs it on local ones."""

import os
import tempfile
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Annotated

from hub_ui import commands, settings
from hub_ui.app import services
from hub_ui.app.hosting.connector import load_once
from hub_ui.base.logs import logging_to, read_log_format, read_log_level
from hub_ui.commands import flag, option
from hub_ui.commands.hubs import DataFolder, check_extra, check_port, hub_data, stop_signals, wait
from hub_ui.commands.terminal import Terminal
from hub_ui.demo.hubs.folder import Origins
from hub_ui.demo.hubs.server import hub_apps, running_hubs
from hub_ui.settings import Settings
from hub_ui.settings.saved_settings import Keys
from hub_ui.web.app import serving

McpFlag = Annotated[bool, flag("--mcp", "Also an MCP server for agents, at /gradio_api/mcp/ of the app's address.")]
LogOption = Annotated[str | None, option("FORM", "How to log on standard error: text or json. Default: text.")]
AppPort = Annotated[int | None, option("P", "The app's port. Default: the first free one from 7860.", commands.port)]
WorkersOption = Annotated[
    str | None,
    option(
        "HOST:PORT", "The cluster that generates in place of this computer (HUB_UI_WORKERS).", settings.check_workers
    ),
]
_MCP = "--mcp needs Gradio's MCP extra"
# Let a run on the local Replicate take this many seconds, so that a person can see its progress and cancel it.
_RUN_SECONDS = 4.0
# The local Replicate needs a key, and accepts any.
_REPLICATE_KEY = "r8_demo"


@dataclass(frozen=True, kw_only=True)
class Serve:
    host: Annotated[
        str | None, option("H", "The address to listen on. Default: 127.0.0.1, or every one with --hosted.")
    ] = None
    port: AppPort = None
    hosted: Annotated[bool, flag("--hosted", "For strangers: no downloads into this computer's library.")] = False
    mcp: McpFlag = False
    workers: WorkersOption = None
    log: LogOption = None

    def run(self, terminal: Terminal) -> int:
        on_space = bool(os.environ.get("SPACE_ID"))
        hosted = self.hosted or on_space
        chosen = settings.from_environment(os.environ, hosted=hosted)
        chosen = replace(chosen, workers=self.workers or chosen.workers)
        host = self.host or ("0.0.0.0" if hosted else "127.0.0.1")
        # The proxy of a Space expects the app on this port.
        space_port = commands.port(os.environ.get("GRADIO_SERVER_PORT") or "7860") if on_space else None
        port = space_port if self.port is None else self.port
        check_port(host, port)
        if self.mcp:
            check_extra("mcp", _MCP, "mcp")
        with start_log(self.log, terminal), stop_signals() as stop, services.build(chosen) as built:
            built.generation.local.prepare()
            if snapshot := os.environ.get("HUB_UI_SNAPSHOT"):
                load_once(Path(snapshot), built.catalog, chosen.home, lambda text: terminal.note(f"hub-ui: {text}"))
            with serving(built, host=host, port=port, open_browser=not hosted, agents=self.mcp) as url:
                print_address("hub-ui", url, terminal, mcp=self.mcp)
                wait(stop)
                built.lifecycle.stop(stop.hurry)
        return 0


def print_address(name: str, url: str, terminal: Terminal, *, mcp: bool) -> None:
    terminal.line(f"{name}: {url}  (Ctrl-C stops it)")
    if mcp:
        terminal.line(f"MCP: {url}gradio_api/mcp/")
    terminal.out.flush()


def start_log(form: str | None, terminal: Terminal) -> AbstractContextManager[None]:
    chosen = read_log_format(os.environ, form)
    return logging_to(terminal.err, chosen, read_log_level(os.environ, chosen))


@dataclass(frozen=True, kw_only=True)
class Demo:
    port: AppPort = None
    data: DataFolder = None
    no_browser: Annotated[bool, flag("--no-browser", "Print the address without opening it.")] = False
    mcp: McpFlag = False
    log: LogOption = None

    def run(self, terminal: Terminal) -> int:
        chosen = settings.from_environment(os.environ)
        home = chosen.home
        data = hub_data(self.data)
        check_port("127.0.0.1", self.port)
        if self.mcp:
            check_extra("mcp", _MCP, "mcp")
        (home / "demo").mkdir(parents=True, exist_ok=True)
        with (
            start_log(self.log, terminal),
            stop_signals() as stop,
            running_hubs(data, apps=partial(hub_apps, run_seconds=_RUN_SECONDS)) as hubs,
            # Use a temporary folder for the catalog, because the local hubs have new ports in every run.
            tempfile.TemporaryDirectory(prefix="run-", dir=home / "demo", ignore_cleanup_errors=True) as folder,
            services.build(
                replace(demo_settings(Path(folder), home / "demo" / "loras", hubs), stop_seconds=chosen.stop_seconds)
            ) as built,
            serving(built, port=self.port, open_browser=not self.no_browser, agents=self.mcp) as url,
        ):
            print_address("hub-ui demo", url, terminal, mcp=self.mcp)
            # Load the backend when the page already responds, but before the first request for an image.
            built.generation.local.prepare()
            wait(stop)
            built.lifecycle.stop(stop.hurry)
        return 0


def demo_settings(home: Path, library: Path, hubs: Origins) -> Settings:
    # Don't store the demo's keys in the system's keyring, because they work only on the local hubs.
    keys = Keys({}, home / "keys.json", has_keyring=False)
    keys.put("replicate", _REPLICATE_KEY)
    return Settings(
        home=home,
        library=library,
        lock=library / "loras.lock",
        endpoints={"civitai": hubs.civitai, "huggingface": hubs.huggingface, "replicate": hubs.replicate},
        tokens=keys,
        demo=True,
        fixed=frozenset({"civitai", "huggingface", "replicate", "proxy", "library", "home"}),
    )
