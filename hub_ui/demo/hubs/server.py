"""Runs the three local hubs and their delivery origin on loopback, each on its own port."""

import secrets
import socket
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path

import uvicorn
from starlette.applications import Starlette
from starlette.types import ASGIApp, Receive, Scope, Send

from hub_ui.demo.hubs.answers import Delivery, RefusalError, answer_refusal, picture_routes
from hub_ui.demo.hubs.civitai import CivitaiHub
from hub_ui.demo.hubs.civitai_store import load_civitai
from hub_ui.demo.hubs.folder import DataFolder, Origins
from hub_ui.demo.hubs.huggingface import HuggingFaceHub
from hub_ui.demo.hubs.huggingface_store import load_huggingface
from hub_ui.demo.hubs.replicate import ReplicateHub
from hub_ui.demo.hubs.replicate_store import SECONDS, Outputs, Runs, load_replicate

NAMES = ("huggingface", "civitai", "replicate", "delivery")
_START_WITHIN = 20.0


def hub_apps(
    data: Path,
    origins: Origins,
    *,
    run_seconds: float = SECONDS,
    huggingface: type[HuggingFaceHub] = HuggingFaceHub,
) -> Mapping[str, ASGIApp]:
    """The four applications. Predictions and trainings on Replicate take `run_seconds`; `huggingface` may do more."""
    folder = DataFolder(path=data, origins=origins)
    delivery = Delivery(origin=origins.delivery, secret=secrets.token_bytes(32))
    models = huggingface(store=load_huggingface(folder), delivery=delivery, origin=origins.huggingface)
    civitai = CivitaiHub(store=load_civitai(folder), delivery=delivery, origin=origins.civitai)
    origin, store = origins.replicate, load_replicate(folder)
    replicate = ReplicateHub(
        origin=origin,
        store=store,
        delivery=delivery,
        predictions=Runs(kind="predictions", origin=origin, over=dict(store.predictions), seconds=run_seconds),
        trainings=Runs(kind="trainings", origin=origin, over=dict(store.trainings), seconds=run_seconds),
        outputs=Outputs(store=store, delivery=delivery),
    )
    replicate.publish()
    routes = (models.routes(), civitai.routes(), replicate.routes(), delivery.routes())
    return {
        name: Starlette(routes=[*picture_routes(data), *own], exception_handlers={RefusalError: answer_refusal})
        for name, own in zip(NAMES, routes, strict=True)
    }


@contextmanager
def running_hubs(
    data: Path, *, port: int = 0, apps: Callable[[Path, Origins], Mapping[str, ASGIApp]] = hub_apps
) -> Iterator[Origins]:
    """Hugging Face uses `port` (0: free ports); CivitAI, Replicate and the delivery use the next three."""
    with ExitStack() as stack:
        sockets = {name: stack.enter_context(_bind(port + i if port else 0)) for i, name in enumerate(NAMES)}
        urls = {name: f"http://127.0.0.1:{bound.getsockname()[1]}" for name, bound in sockets.items()}
        origins = Origins(**urls)
        stack.enter_context(_run_server(apps(data, origins), sockets))
        yield origins


def _bind(port: int) -> socket.socket:
    # asyncio sets TCP_NODELAY only with IPPROTO_TCP; otherwise responses wait about 40 ms for an ACK.
    bound = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    bound.bind(("127.0.0.1", port))
    return bound


@contextmanager
def _run_server(apps: Mapping[str, ASGIApp], sockets: Mapping[str, socket.socket]) -> Iterator[None]:
    """Runs all applications in one thread, each behind its own socket. They have no logs, because connections that end
    early are the clients' affair, and are quick to stop.
    """
    by_port = {bound.getsockname()[1]: apps[name] for name, bound in sockets.items()}

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await by_port[scope["server"][1]](scope, receive, send)

    config = uvicorn.Config(
        app, loop="asyncio", http="h11", ws="none", lifespan="off", access_log=False, log_config=None,
        log_level="critical", timeout_graceful_shutdown=1, timeout_keep_alive=60, server_header=False,
    )  # fmt: skip
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, args=(list(sockets.values()),), name="local-hubs", daemon=True)
    thread.start()
    try:
        deadline = time.monotonic() + _START_WITHIN
        while not server.started:
            if time.monotonic() > deadline or not thread.is_alive():
                raise TimeoutError("the local hubs did not start")
            time.sleep(0.01)
        yield
    finally:
        server.should_exit = True
        thread.join()
