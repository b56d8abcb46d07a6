"""Connectors: hubs in, records out. They know no Gradio, no SQLite and no torch."""

import pkgutil
from collections.abc import Mapping

from connectors.connector import Connector
from connectors.http.session import Endpoint
from connectors.registry import HUBS, HubName


def build(endpoints: Mapping[HubName, str], keys: Mapping[HubName, str]) -> tuple[Connector, ...]:
    """One connector for each hub that `endpoints` names, with its key where `keys` has one."""
    return tuple(
        pkgutil.resolve_name(hub.connector)(Endpoint(hub=hub.name, label=hub.label, url=endpoints[hub.name], keys=keys))
        for hub in HUBS.values()
        if hub.name in endpoints
    )
