"""Connectors: hubs in, records out. They know no Gradio, no SQLite and no torch.

CONNECTORS is the registry: a hub that stands here is searched, shown, pinned and downloaded like the others.
ADDING_A_HUB.md tells how to write one.
"""

from __future__ import annotations

from collections.abc import Mapping

from connectors.civitai.client import CivitAI
from connectors.connector import Connector
from connectors.http.session import Endpoint
from connectors.huggingface.client import HuggingFace
from connectors.ref import HubName
from connectors.replicate.client import Replicate

# Alphabetical. The name is the prefix of the hub's refs.
CONNECTORS: Mapping[HubName, type[CivitAI] | type[HuggingFace] | type[Replicate]] = {
    "civitai": CivitAI,
    "huggingface": HuggingFace,
    "replicate": Replicate,
}


def build(endpoints: Mapping[HubName, str], tokens: Mapping[HubName, str]) -> tuple[Connector, ...]:
    """One connector a hub that `endpoints` names, with its key where there is one."""
    return tuple(
        connector(Endpoint(hub=name, label=connector.label, url=endpoints[name], token=tokens.get(name)))
        for name, connector in CONNECTORS.items()
        if name in endpoints
    )
