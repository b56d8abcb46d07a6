"""The command hub-ui worker, which lets this computer generate images for the pages of a cluster."""

import re
from dataclasses import dataclass
from typing import Annotated

import typer

from connectors.errors import HubUiError
from hub_ui import commands
from hub_ui.commands import option
from hub_ui.commands.hubs import check_extra, check_port, stop_signals
from hub_ui.commands.terminal import Terminal
from hub_ui.generate.backends.cluster.node import NodeOptions, deploy, running_node
from hub_ui.generate.backends.cluster.replica import ReplicaOptions
from hub_ui.settings import check_workers

_REPLICAS = re.compile(r"(\d{1,4})(?:-(\d{1,4}))?")
_SECONDS_BETWEEN_LOOKS = 0.2
_count = commands.whole_number(1, 1024)


def replica_range(text: str) -> str:
    match = _REPLICAS.fullmatch(text.strip())
    if match is None or not 1 <= int(match[1]) <= int(match[2] or match[1]):
        raise typer.BadParameter(f"{text[:40]!r} is no number of replicas, such as 2 or 1-8")
    return text.strip()


@dataclass(frozen=True, kw_only=True)
class Worker:
    address: Annotated[
        str | None,
        option("HOST:PORT", "The cluster to join. Default: start one here.", check_workers),
    ] = None
    host: Annotated[
        str | None, option("H", "The address at which the others reach this computer. Default: 127.0.0.1.")
    ] = None
    port: Annotated[int, option("P", "The port of a cluster that is started here.", commands.port)] = 6379
    replicas: Annotated[
        str,
        option("N or N-M", "How many replicas the whole cluster has, or the fewest and the most.", replica_range),
    ] = "1-8"
    cpus: Annotated[int, option("N", "The CPUs that each replica takes.", _count)] = 1

    def run(self, terminal: Terminal) -> int:
        check_extra("ray", "Workers need Ray", "cluster")
        host = self.host or (None if self.address else "127.0.0.1")
        if self.address is None:
            check_port(host or "", self.port)
        fewest, _dash, most = self.replicas.partition("-")
        chosen = ReplicaOptions(fewest=int(fewest), most=int(most or fewest), cpus=self.cpus)
        node = NodeOptions(address=self.address, host=host, port=self.port)
        with stop_signals() as stop, running_node(node) as ray:
            started = deploy(chosen)
            terminal.line(f"hub-ui worker: cluster {node.cluster}  (Ctrl-C stops it)")
            if not started:
                terminal.note("The cluster had its replicas already, so --replicas and --cpus changed nothing.")
            terminal.line(f"The page: hub-ui serve --workers {node.cluster}")
            terminal.out.flush()
            while not stop.wait(_SECONDS_BETWEEN_LOOKS):
                if ray.poll() is not None:
                    raise HubUiError(
                        "Ray ended on this computer, and nothing is generated any more. Start the worker again."
                    )
        return 0
