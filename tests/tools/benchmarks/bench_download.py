"""Pulling one large file against curl | sha256sum and against aria2c, and what four at once take of memory.

Everything lies in memory where the system has /dev/shm, so that the disk, which curl | sha256sum does not touch, is no
part of the comparison.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from statistics import median

from connectors.ref import Ref
from hub_ui.library.download.http import DownloadOptions
from hub_ui.library.library import Library
from tests.hub_ui.library.building import download, record
from tests.tools.benchmarks.figures import Figure, interleaved, report

MIB = 1024 * 1024
CONNECTIONS = 4
RATE = 20_000_000
FILES_AT_ONCE = 4
MEMORY_MB = 100.0


def figures(*, size: int = 1024 * MIB, limited_size: int = 384 * MIB, runs: int = 5) -> list[Figure]:
    memory = Path("/dev/shm")
    with tempfile.TemporaryDirectory(dir=memory if memory.is_dir() else None) as name:
        folder = Path(name)
        large, small = weights(folder / "large", size), weights(folder / "small", limited_size)
        found = [unlimited(folder, large, runs)] if shutil.which("curl") else _without("curl")
        found += [limited(folder, small, runs)] if shutil.which("aria2c") else _without("aria2c")
        return [*found, held(large)]


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


def held(file: Path) -> Figure:
    """In a process of its own: the most memory it ever had, less what it had before."""
    with served(file) as url:
        told = subprocess.run(
            [sys.executable, "-m", "tests.tools.benchmarks.bench_download", url],
            check=True,
            capture_output=True,
            text=True,
        )
    mb = float(json.loads(told.stdout)["mb"])
    name = f"memory of {FILES_AT_ONCE} pulls at once, above idle"
    return Figure(name=name, ours=mb, other=MEMORY_MB, against="what is allowed", target=1.0, unit="MB")


def pulled(url: str, folder: Path, number: int = 0) -> float:
    """Seconds for a file in the library, its entry written."""
    place = folder / f"library{number}"
    library = Library(place, place / "loras.lock", options=DownloadOptions(connections=CONNECTIONS))
    begin = time.perf_counter()
    library.pull(download(url, ref=Ref.parse(f"civitai:1@2#{number + 1}")), record())
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
    header = json.dumps({"w": {"dtype": "U8", "shape": [size], "data_offsets": [0, size]}}).encode()
    noise = os.urandom(MIB)
    with path.open("wb") as file:
        file.write(len(header).to_bytes(8, "little") + header)
        for _ in range(size // MIB):
            file.write(noise)
    return path


@contextmanager
def served(file: Path, rate: int | None = None) -> Iterator[str]:
    command = [sys.executable, "-m", "tests.tools.benchmarks.file_server", str(file), *([str(rate)] if rate else [])]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as server:
        assert server.stdout is not None
        try:
            yield server.stdout.readline().strip()
        finally:
            server.kill()


def _without(program: str) -> list[Figure]:
    print(f"{program} is not installed here, so nothing is held against it.", flush=True)
    return []


def _tell_memory(url: str) -> None:
    with tempfile.TemporaryDirectory(dir="/dev/shm" if Path("/dev/shm").is_dir() else None) as name:
        idle = _resident_mb()
        with ThreadPoolExecutor(FILES_AT_ONCE) as pool:
            pulls = [pool.submit(pulled, url, Path(name), number) for number in range(FILES_AT_ONCE)]
            seen = []
            while not all(pull.done() for pull in pulls):
                seen.append(_resident_mb())
                time.sleep(0.02)
        _ = [pull.result() for pull in pulls]
    print(json.dumps({"mb": max(seen) - idle, "usual": median(seen) - idle}))


def _resident_mb() -> float:
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / MIB


if __name__ == "__main__":
    if len(sys.argv) > 1:
        _tell_memory(sys.argv[1])
    else:
        sys.exit(report(figures()))
