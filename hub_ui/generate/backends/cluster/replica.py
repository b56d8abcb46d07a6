"""A replica: an engine that generates for every page of the cluster. Ray Serve makes as many as there is work for.

Files on their way to it are named by their SHA-256: found in a shared folder, or read from where they are.
"""

import asyncio
import hashlib
import os
import secrets
import time
from collections.abc import AsyncIterator, Callable, Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass, replace
from itertools import count
from pathlib import Path
from typing import Any, TypeAlias

from connectors.errors import HubUiError, WrongHash
from hub_ui.base.disk import sha256_of
from hub_ui.base.i18n import _
from hub_ui.generate.base_models.download import Source
from hub_ui.generate.compare.comparison import Comparison
from hub_ui.generate.engine import Engine, Event, EventStream
from hub_ui.generate.request import GenerationRequest
from hub_ui.settings import from_environment

_CHUNK = 8_000_000
# Chunks that wait in Ray's memory for a replica that writes slowly.
_CHUNKS_AHEAD = 4


@dataclass(frozen=True, kw_only=True, slots=True)
class SharedFile:
    """A file of the computer that asks. `path` is where it is there, and `node` is Ray's name of that computer."""

    path: Path
    sha256: str
    node: str


class FileStore:
    """Files that were sent to this computer, up to `budget` bytes. All of its replicas share the folder."""

    def __init__(self, folder: Path, budget: int) -> None:
        self._folder = folder
        self._budget = budget

    def find(self, file: SharedFile, read: Callable[[SharedFile], Iterable[bytes]]) -> Path:
        """Where the file is on this computer. `read` fetches what is not here. Raises WrongHash for other bytes."""
        own = self._folder / f"{file.sha256}{file.path.suffix}"
        if own.is_file():
            # What was used last is kept. The time of change stays: caches go by it.
            os.utime(own, ns=(time.time_ns(), own.stat().st_mtime_ns))
            return own
        # The path may lead to the same bytes here: on one computer, or in a folder that both have.
        with suppress(OSError):
            if sha256_of(file.path) == file.sha256:
                return file.path
        self._folder.mkdir(parents=True, exist_ok=True)
        part = own.with_name(f"{own.name}.{secrets.token_hex(4)}.part")
        digest = hashlib.sha256()
        try:
            with part.open("wb") as out:
                for chunk in read(file):
                    digest.update(chunk)
                    out.write(chunk)
            if digest.hexdigest() != file.sha256:
                raise WrongHash(
                    _(
                        "{name} is not the file that it was when it was downloaded. Remove it and download it again."
                    ).format(name=file.path.name)
                )
            part.replace(own)
        finally:
            part.unlink(missing_ok=True)
        self._make_room(own)
        return own

    def _make_room(self, newest: Path) -> None:
        """Deletes what was used longest ago, above the budget."""
        files = [(path.stat(), path) for path in self._folder.iterdir() if path != newest and path.suffix != ".part"]
        used = newest.stat().st_size + sum(stat.st_size for stat, _path in files)
        for stat, path in sorted(files, key=lambda pair: pair[0].st_atime_ns):
            if used <= self._budget:
                return
            path.unlink(missing_ok=True)
            used -= stat.st_size


def read_chunks(path: str) -> Iterator[bytes]:
    with open(path, "rb") as file:
        # Ray sends into it, which an iterator that is yielded from does not take.
        while chunk := file.read(_CHUNK):
            yield chunk


def read_from_node(file: SharedFile) -> Iterator[bytes]:
    """The file's bytes, read by a task on the computer that it is on."""
    import ray
    from ray.exceptions import RayError
    from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

    remote: Any = ray.remote(read_chunks)  # its types know no streams
    task = remote.options(
        num_cpus=0,
        num_returns="streaming",
        scheduling_strategy=NodeAffinitySchedulingStrategy(node_id=file.node, soft=False),
        _generator_backpressure_num_objects=_CHUNKS_AHEAD,
    )
    try:
        for chunk in task.remote(str(file.path)):
            yield ray.get(chunk)
    except (RayError, OSError) as error:
        raise HubUiError(
            _("{name} could not be sent to the worker that generates. Try again.").format(name=file.path.name)
        ) from error


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

        async def hold(_model_id: str) -> Iterator[int]:
            """Counts the requests for LoRAs whose files are here. The engine keeps their weights in memory."""
            return count()

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
        was_held = next(held) > 0
        yield Placement(model_id=order.model_id, replica=self._name, pid=os.getpid(), was_held=was_held)
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
