"""The connectors of all hubs. They turn a hub's responses into records, without Gradio, SQLite and torch.

docs/python.md shows how to use this package.
"""

import pkgutil
from collections.abc import Mapping

from connectors.connector import Connector
from connectors.errors import HubUiError
from connectors.http.session import Endpoint
from connectors.query import Query
from connectors.ref import Ref
from connectors.registry import HUBS, HubName

__all__ = ["HUBS", "HubUiError", "Query", "Ref", "build"]


def build(endpoints: Mapping[HubName, str], keys: Mapping[HubName, str]) -> tuple[Connector, ...]:
    """Return a connector for each hub in `endpoints`, with its key if `keys` has one."""
    return tuple(
        pkgutil.resolve_name(hub.connector)(Endpoint(hub=hub.name, url=endpoints[hub.name], keys=keys))
        for hub in HUBS.values()
        if hub.name in endpoints
    )
