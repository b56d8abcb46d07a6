"""Pulling one large file against curl | sha256sum and against aria2c.

Everything lies in memory where the system has /dev/shm, so that the disk, which curl | sha256sum does not touch, is no
part of the comparison.
"""

import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from connectors.ref import Ref
from hub_ui.demo.hubs.folder import chunks, generate_safetensors
from hub_ui.library.download.transfer import DownloadOptions
from hub_ui.library.library import Library
from tests.hub_ui.library.building import download, pull_file, record
from tests.programs import started
from tests.tools.benchmarks.figures import Figure, interleaved, seconds

MIB = 1024 * 1024
CONNECTIONS = 4
RATE = 20_000_000


def figures(*, size: int = 1024 * MIB, limited_size: int = 384 * MIB, runs: int = 5) -> list[Figure]:
    memory = Path("/dev/shm")
    with tempfile.TemporaryDirectory(dir=memory if memory.is_dir() else None) as name:
        folder = Path(name)
        large, small = weights(folder / "large", size), weights(folder / "small", limited_size)
        found = [unlimited(folder, large, runs)] if shutil.which("curl") else _without("curl")
        found += [limited(folder, small, runs)] if shutil.which("aria2c") else _without("aria2c")
        return found


def unlimited(folder: Path, file: Path, runs: int) -> Figure:
    with served(file) as url:
        ours, other = interleaved(lambda: pulled(url, folder), lambda: piped(url), runs=runs)
    name = f"pull {file.stat().st_size // MIB} MiB"
    return Figure(name=name, ours=ours, other=other, against="curl | sha256sum", target=1 / 0.9)


def limited(folder: Path, file: Path, runs: int) -> Figure:
    with served(file, RATE) as url:
        ours, other = interleaved(lambda: pulled(url, folder), lambda: aria2(url, folder), runs=max(runs // 2, 1))
    name = f"pull {file.stat().st_size // MIB} MiB at 20 MB/s a connection, {CONNECTIONS} of them"
    return Figure(name=name, ours=ours, other=other, against="aria2c", target=1 / 0.95)


def pulled(url: str, folder: Path) -> float:
    """Seconds for a file in the library, its entry written."""
    place = folder / "library"
    library = Library(place, place / "loras.lock", options=DownloadOptions(connections=CONNECTIONS))
    took = seconds(lambda: pull_file(library, download(url, ref=Ref.parse("civitai:1@2#1")), record()))
    shutil.rmtree(place)
    return took


def piped(url: str) -> float:
    command = f"curl -s {url} | sha256sum"
    return seconds(lambda: subprocess.run(command, shell=True, check=True, stdout=subprocess.DEVNULL))


def aria2(url: str, folder: Path) -> float:
    many = str(CONNECTIONS)
    options = ["-x", many, "-s", many, "-k", "1M", "-q", "--file-allocation=none", "--allow-overwrite=true"]
    command = ["aria2c", *options, "-d", str(folder), "-o", "aria2", url]
    took = seconds(lambda: subprocess.run(command, check=True))
    (folder / "aria2").unlink()
    return took


def weights(path: Path, size: int) -> Path:
    """A safetensors file with one tensor of noise."""
    with path.open("wb") as file:
        file.writelines(chunks(generate_safetensors({"tensors": {"w": ["U8", [size]]}})))
    return path


@contextmanager
def served(file: Path, rate: int | None = None) -> Iterator[str]:
    words = [str(file), *([str(rate)] if rate else [])]
    with started(sys.executable, "-m", __name__, *words) as (url, _process):
        yield url.strip()


def serve(path: Path, rate: int | None) -> None:
    """One file over HTTP, as fast as the system can send it or at so many bytes a second for each connection.

    It stands for a delivery host: ranges, an ETag, kept connections, and no work of its own that could be mistaken for
    the client's. Prints its address.
    """
    size = path.stat().st_size

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            wanted = re.fullmatch(r"bytes=(\d+)-(\d*)", self.headers.get("Range", ""))
            start = int(wanted[1]) if wanted else 0
            stop = min(int(wanted[2]) + 1, size) if wanted and wanted[2] else size
            self.send_response(206 if wanted else 200)
            self.send_header("Content-Length", str(stop - start))
            self.send_header("ETag", '"benchmark"')
            self.send_header("Accept-Ranges", "bytes")
            if wanted:
                self.send_header("Content-Range", f"bytes {start}-{stop - 1}/{size}")
            self.end_headers()
            self.wfile.flush()
            self._send(start, stop)

        def do_HEAD(self) -> None:
            self.do_GET()

        def _send(self, at: int, stop: int) -> None:
            if self.command == "HEAD":
                return
            step = MIB if rate is None else min(MIB, rate // 50)
            due = time.monotonic()
            with path.open("rb") as file:
                while at < stop:
                    at += os.sendfile(self.connection.fileno(), file.fileno(), at, min(step, stop - at))
                    if rate is not None:
                        due = max(due + step / rate, time.monotonic() - 0.05)
                        time.sleep(max(due - time.monotonic(), 0.0))

        def log_message(self, format: str, *args: object) -> None:
            pass

        def handle(self) -> None:
            with suppress(ConnectionError):
                super().handle()

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        print(f"http://127.0.0.1:{server.server_address[1]}/file.safetensors", flush=True)
        server.serve_forever()


def _without(program: str) -> list[Figure]:
    print(f"{program} is not installed here, so nothing is held against it.", flush=True)
    return []


if __name__ == "__main__":
    serve(Path(sys.argv[1]), int(sys.argv[2]) if len(sys.argv) > 2 else None)
