"""A replica: an engine that generates for every page of the cluster. Ray Serve makes as many as there is work for."""

import asyncio
import hashlib
import os
from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, TypeAlias

from connectors.errors import HubUiError
from hub_ui.cluster.files import FileStore, SharedFile, read_from_node
from hub_ui.generate.backend import Event, EventStream
from hub_ui.generate.base_models.download import Source
from hub_ui.generate.comparison import Comparison
from hub_ui.generate.engine import Engine
from hub_ui.generate.request import GenerationRequest
from hub_ui.settings import from_environment

APP = "hub-ui"
# One request is generated while the files of the next are fetched.
_AT_ONCE = 2
_STORE_BYTES = 20_000_000_000
# A base takes minutes to load, so a replica stays for a while when there is nothing to do.
_UPSCALE_SECONDS, _DOWNSCALE_SECONDS = 5.0, 600.0
# A generation that runs is finished before its replica goes.
_SHUTDOWN_SECONDS = 600.0


@dataclass(frozen=True, kw_only=True, slots=True)
class WorkOrder:
    """A comparison to generate. `files` are those that the request names by their paths."""

    request: GenerationRequest
    comparison: Comparison
    files: tuple[SharedFile, ...]
    language: str = "en"

    @property
    def model_id(self) -> str:
        """What replicas keep: the request's LoRAs by their content, or else its base."""
        paths = {adapter.path for adapter in self.request.adapters}
        hashes = sorted({file.sha256 for file in self.files if file.path in paths})
        if len(hashes) == 1:
            return hashes[0]
        name = "\n".join(hashes) or f"base {self.request.base}"
        return hashlib.sha256(name.encode()).hexdigest()


@dataclass(frozen=True, kw_only=True, slots=True)
class Placement:
    """Where a request went: the replica, its process, and whether it had the LoRAs already."""

    model_id: str
    replica: str
    pid: int
    was_held: bool


# What a replica sends back.
Answer: TypeAlias = Placement | Event


@dataclass(kw_only=True, slots=True)
class _HeldLoras:
    """LoRAs whose files are on this computer. The engine keeps their weights in memory."""

    uses: int = 0


class Replica:
    """Made by Ray Serve, in a process of its own. Its settings and keys are those of the worker's environment."""

    def __init__(self, held: int) -> None:
        """`held`: so many LoRAs, or stacks of them, are remembered as being here."""
        from ray import serve

        settings = from_environment(os.environ)
        source = Source(endpoint=settings.endpoints["huggingface"], keys=settings.tokens, cache=None)
        self._engine = Engine(source, timings=settings.home / "timings.json")
        self._store = FileStore(settings.home / "worker-files", _STORE_BYTES)
        self._name = serve.get_replica_context().replica_tag

        async def hold(_model_id: str) -> _HeldLoras:
            return _HeldLoras()

        # Serve sends a request to a replica that holds what it is for.
        self._hold = serve.multiplexed(max_num_models_per_replica=held)(hold)

    async def generate(self, order: WorkOrder) -> AsyncIterator[Answer]:
        """Yields where it is generated, its steps, and the result or the error at last. Ray cancels it."""
        held = await self._hold(order.model_id)
        try:
            request = await asyncio.to_thread(self._fetch, order)
        except HubUiError as error:
            yield error
            return
        held.uses += 1
        yield Placement(model_id=order.model_id, replica=self._name, pid=os.getpid(), was_held=held.uses > 1)
        stream = EventStream(self._engine, request, order.comparison, language=order.language)
        try:
            while (event := await asyncio.to_thread(stream.next)) is not None:
                yield event
        finally:
            stream.close(wait=False)

    async def estimate(self, request: GenerationRequest, comparison: Comparison) -> str:
        return (await asyncio.to_thread(self._engine.estimate, request, comparison)).sentence

    def _fetch(self, order: WorkOrder) -> GenerationRequest:
        """The request with the paths of its files on this computer."""
        paths = {file.path: self._store.find(file, read_from_node) for file in order.files}
        request = order.request

        def here(path: Path | None) -> Path | None:
            return None if path is None else paths.get(path, path)

        adapters = tuple(replace(each, path=paths.get(each.path, each.path)) for each in request.adapters)
        return replace(request, adapters=adapters, control=here(request.control), image=here(request.image))


@dataclass(frozen=True, kw_only=True)
class ReplicaOptions:
    """How many replicas there are, and what each takes: CPUs, and a GPU where the cluster has any.

    `held` LoRAs are remembered by each; of each page, `queued` requests wait at most.
    """

    fewest: int = 1
    most: int = 8
    cpus: int = 1
    held: int = 64
    queued: int = 20


def application(options: ReplicaOptions, *, has_gpus: bool) -> Any:
    """What `serve.run` deploys."""
    from ray import serve

    deployment: Any = serve.deployment(Replica)  # of two types, as it may be called without a class
    return deployment.options(
        max_ongoing_requests=_AT_ONCE,
        max_queued_requests=options.queued,
        graceful_shutdown_timeout_s=_SHUTDOWN_SECONDS,
        ray_actor_options={"num_cpus": options.cpus, "num_gpus": int(has_gpus)},
        autoscaling_config={
            "min_replicas": options.fewest,
            "max_replicas": options.most,
            "initial_replicas": options.fewest,
            "target_ongoing_requests": 1,
            "upscale_delay_s": _UPSCALE_SECONDS,
            "downscale_delay_s": _DOWNSCALE_SECONDS,
        },
    ).bind(options.held)
