"""One file over HTTP, as fast as the system can send it or at so many bytes a second for each connection.

`python -m tests.tools.benchmarks.file_server FILE [BYTES_PER_SECOND]` prints its address. It stands for a delivery
host: ranges, an ETag, kept connections, and no work of its own that could be mistaken for the client's.
"""

import os
import re
import sys
import time
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

_STEP = 1024 * 1024


def serve(path: Path, rate: int | None) -> None:
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
            step = _STEP if rate is None else min(_STEP, rate // 50)
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


if __name__ == "__main__":
    serve(Path(sys.argv[1]), int(sys.argv[2]) if len(sys.argv) > 2 else None)
