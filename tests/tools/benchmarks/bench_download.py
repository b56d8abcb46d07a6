"""Pulling one large file against curl | sha256sum and against aria2c.

Everything lies in memory where the system has /dev/shm, so that the disk, which curl | sha256sum does not touch, is no
part of the comparison.
"""

import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from connectors.ref import Ref
from hub_ui.demo.hubs.folder import chunks, generate_safetensors
from hub_ui.library.download import DownloadOptions
from hub_ui.library.library import Library
from tests.hub_ui.library.building import download, pull_file, record
from tests.tools.benchmarks.figures import Figure, interleaved, report, started

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
    begin = time.perf_counter()
    pull_file(library, download(url, ref=Ref.parse("civitai:1@2#1")), record())
    took = time.perf_counter() - begin
    shutil.rmtree(place)
    return took


def piped(url: str) -> float:
    begin = time.perf_counter()
    subprocess.run(f"curl -s {url} | sha256sum", shell=True, check=True, stdout=subprocess.DEVNULL)
    return time.perf_counter() - begin


def aria2(url: str, folder: Path) -> float:
    begin = time.perf_counter()
    many = str(CONNECTIONS)
    options = ["-x", many, "-s", many, "-k", "1M", "-q", "--file-allocation=none", "--allow-overwrite=true"]
    subprocess.run(["aria2c", *options, "-d", str(folder), "-o", "aria2", url], check=True)
    took = time.perf_counter() - begin
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
    with started(sys.executable, "-m", "tests.tools.benchmarks.file_server", *words) as (url, _process):
        yield url


def _without(program: str) -> list[Figure]:
    print(f"{program} is not installed here, so nothing is held against it.", flush=True)
    return []


if __name__ == "__main__":
    sys.exit(report(figures()))
