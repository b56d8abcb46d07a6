"""A hosted page in a process of its own, and its many visitors, who all are in one event loop of this process.

A visitor is a connection: what a browser library would cost for each is more than what the page takes for an answer.
"""

import asyncio
import gzip
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from urllib.parse import urlsplit

import psutil

from tests.faults import Fault
from tests.faulty_hubs import HubEndpoints
from tests.hub_ui.demo.hubs.test_server import free_run_of_ports

# One hub hangs, and another answers 500.
FAULTS = (
    Fault(kind="latency", hub="huggingface", seconds=60.0),
    Fault(kind="status", hub="civitai", status=500),
)
# The visitors of a bench share an address, and each wants an image within a minute.
LIMITS = {
    "HUB_UI_LIMIT_PEOPLE_PER_ADDRESS": "1000", "HUB_UI_LIMIT_CONNECTIONS_PER_ADDRESS": "2000",
    "HUB_UI_LIMIT_QUEUE": "200", "HUB_UI_LIMIT_SEARCHES_PER_MINUTE": "10000",
}  # fmt: skip
PART = {"HX-Request": "true", "HX-Request-Type": "partial"}
# An image may wait for those of all others, on two cores for some minutes.
SECONDS = 300.0


@dataclass(frozen=True, kw_only=True)
class Answer:
    """`seconds`: until its last bytes came."""

    status: int
    text: str
    location: str
    seconds: float

    def said(self, sign: str, status: int = 200) -> str:
        """What is wrong with it, if it is not of that status or lacks the sign."""
        return "" if self.status == status and sign in self.text else f"{self.status} {self.text[:300]}"


@dataclass(frozen=True, kw_only=True)
class HostedPage:
    url: str
    process: psutil.Process

    @property
    def megabytes(self) -> float:
        return float(self.process.memory_info().rss / 1e6)


@dataclass(kw_only=True)
class Person:
    """With a cookie of their own, once they have opened the page."""

    page: HostedPage
    cookie: str = ""

    async def arrive(self) -> None:
        await self.get("glossary")

    async def get(self, path: str, headers: Mapping[str, str] | None = None) -> Answer:
        return await self.ask("GET", path, headers or {})

    async def part(self, path: str, target: str) -> Answer:
        """As htmx asks for it."""
        return await self.ask("GET", path, {**PART, "HX-Target": target})

    async def post(self, path: str, form: str) -> Answer:
        return await self.ask("POST", path, {"Content-Type": "application/x-www-form-urlencoded"}, form)

    async def ask(self, method: str, path: str, headers: Mapping[str, str], body: str = "") -> Answer:
        address = urlsplit(self.page.url)
        reader, writer = await asyncio.open_connection(address.hostname, address.port, limit=2**24)
        more = {"Cookie": self.cookie} if self.cookie else {}
        sent = {"Host": address.netloc, "Connection": "close", "Accept-Encoding": "gzip", **headers, **more}
        if body:
            sent["Content-Length"] = str(len(body))
        head = "".join(f"{name}: {value}\r\n" for name, value in sent.items())
        start = time.perf_counter()
        writer.write(f"{method} /{path} HTTP/1.1\r\n{head}\r\n{body}".encode())
        async with asyncio.timeout(SECONDS):
            lead = await reader.readuntil(b"\r\n\r\n")
            data = await reader.read()
        took = time.perf_counter() - start
        writer.close()
        lines = lead.decode().splitlines()
        fields = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines[1:])}
        self.cookie = self.cookie or fields.get("set-cookie", "").partition(";")[0]
        text = (gzip.decompress(data) if fields.get("content-encoding") == "gzip" else data).decode(errors="replace")
        return Answer(status=int(lines[0].split()[1]), text=text, location=fields.get("location", ""), seconds=took)


def percentile(seconds: Sequence[float], percent: int) -> float:
    taken = sorted(seconds)
    return taken[min(len(taken) - 1, len(taken) * percent // 100)]


@contextmanager
def hosted_page(hubs: HubEndpoints) -> Iterator[HostedPage]:
    port = free_run_of_ports()
    command = [sys.executable, "-m", "hub_ui", "serve", "--hosted", "--host", "127.0.0.1", "--port", str(port)]
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as home:
        environ = {**os.environ, **hubs.as_env(), **LIMITS, "HUB_UI_HOME": home}
        with subprocess.Popen(command, env=environ, stdout=subprocess.PIPE, text=True) as process:
            assert process.stdout is not None
            try:
                process.stdout.readline()
                yield HostedPage(url=f"http://127.0.0.1:{port}/", process=psutil.Process(process.pid))
            finally:
                process.terminate()
