"""An HttpDownload into a part: resumed, hashed while it comes, and checked whole before anyone may use it."""

from __future__ import annotations

from connectors.connector import HttpDownload
from connectors.errors import WrongHash
from connectors.http.ranges import RangedSource, Renew
from hub_ui.library.disk import Fetched
from hub_ui.library.download import tar
from hub_ui.library.download.hasher import Hasher, check_file
from hub_ui.library.download.http import DownloadOptions, Transfer
from hub_ui.library.download.partial_file import PartialFile
from hub_ui.library.download.progress import CancelWatcher, Meter


def fetch(
    download: HttpDownload,
    part: PartialFile,
    meter: Meter,
    *,
    renew: Renew | None = None,
    options: DownloadOptions | None = None,
) -> Fetched:
    """Fills the part with the file and checks it. Raises one of our errors; what came is then kept in the part."""
    with Hasher(part) as hasher:
        transfer = Transfer(
            download=download, source=RangedSource.of(download, renew), part=part, meter=meter, hasher=hasher,
            options=options or DownloadOptions(), watcher=CancelWatcher(meter),
        )  # fmt: skip
        tar.run(transfer) if download.in_tar else transfer.run()
        fetched = Fetched(size=part.bytes_done, sha256=hasher.finish(meter.check))
    check_promise(fetched, download.size, download.sha256)
    check_file(part.path)
    return fetched


def check_promise(fetched: Fetched, size: int | None, sha256: str | None) -> None:
    """Raises WrongHash unless the bytes are the ones promised. A size alone counts only where there is no hash."""
    if sha256 is not None and fetched.sha256 != sha256.lower():
        raise WrongHash(
            f"The bytes that came (sha256 {fetched.sha256[:12]}…) are not the ones promised ({sha256[:12]}…). "
            "Nothing was kept; pull it again, and if it happens twice, don't use this file."
        )
    if sha256 is None and size is not None and fetched.size != size:
        raise WrongHash(f"{fetched.size} bytes came where {size} were promised. Nothing was kept; pull it again.")
