"""Serve generated images, and the images and videos of hubs, which this server fetches and stores.

Hubs see the address of this server only, and stored images are shown without a network as well. No URL reveals a path
of this computer.
"""

import asyncio
import hmac
import io
import re
import secrets
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from anyio import CapacityLimiter, to_thread
from cachetools import TLRUCache
from PIL import Image
from starlette.requests import Request
from starlette.responses import FileResponse, Response
from starlette.routing import BaseRoute, Route

from connectors.errors import BadAnswer, HubUiError, NotFound
from connectors.http.adapter import Destinations, file_http
from connectors.http.ranges import RangedSource
from hub_ui.access.visitor import current_visitor
from hub_ui.base.i18n import _
from hub_ui.base.image_files import FORMATS, TooLarge, open_image
from hub_ui.images.media_store import MediaFile, MediaStore
from hub_ui.web.layout.render import HUB_IMAGE_PATH, HUB_VIDEO_PATH, LOCAL_IMAGE_PATH, ImageLinks

# Limit concurrent fetches, so that slow hosts don't use up the server's threads.
HUB_IMAGES_AT_ONCE = 16
# Pillow reports a JPEG with a second image in it as MPO. Many phones write such files.
FORMAT_TYPES = {"MPO": "image/jpeg", **{name: f"image/{name.lower()}" for name in FORMATS}}
# Brands of ISO media that browsers play. HEIF images and QuickTime begin with `ftyp` as well, but with other brands.
MP4 = re.compile(rb"....ftyp(?:isom|iso[2-9]|avc1|mp4[12]|M4V |MSNV|dash|cmf[2cs])", re.DOTALL)
# An EBML header with the document type "webm". Matroska files have another document type.
_WEBM = re.compile(rb"\x1a\x45\xdf\xa3.{0,56}\x42\x82\x84webm", re.DOTALL)
SAFE = {"X-Content-Type-Options": "nosniff", "Content-Security-Policy": "default-src 'none'; sandbox"}
PRIVATE = {**SAFE, "Cache-Control": "private, max-age=86400"}
NO_STORE = {**SAFE, "Cache-Control": "no-store"}
# An empty image for missing ones. Browsers would show a broken image over the LoRA's initial otherwise.
MISSING = b'<svg xmlns="http://www.w3.org/2000/svg" width="1" height="1"/>'
OLD_LINK = "This image's link is of another run of hub-ui. Load the page again."
# Seconds before a failed fetch is retried. Deleted and invalid images rarely recover, so GONE_FOR is longer.
AGAIN_AFTER = 10.0
GONE_FOR = 60.0
_MOST_FAILURES = 1000
_RANGE = re.compile(r"bytes=(\d{1,12})-(\d{0,12})")
IMAGES_PATH = "images"
SHARED = "shared"
# Serve only these types, because the folder also holds visitors' uploads of any type.
SUFFIX_TYPES = {".png": "image/png", ".webp": "image/webp", ".jpg": "image/jpeg", ".mp4": "video/mp4"}


@dataclass(frozen=True, kw_only=True)
class MediaKind:
    """The path of links to images or videos, and the limits of a fetch. `types` are the media types in the store."""

    path: str
    most_bytes: int
    seconds: float
    types: tuple[str, ...]


IMAGE = MediaKind(path=HUB_IMAGE_PATH, most_bytes=24 * 1024 * 1024, seconds=20.0, types=tuple(FORMAT_TYPES.values()))
VIDEO = MediaKind(path=HUB_VIDEO_PATH, most_bytes=64 * 1024 * 1024, seconds=60.0, types=("video/mp4", "video/webm"))


@dataclass(frozen=True, kw_only=True)
class HubImages:
    """Routes for the images and videos of hubs.

    `destinations` limits the hosts by hub: only images of a local hub may be fetched from the local network.
    """

    links: ImageLinks
    store: MediaStore
    destinations: Mapping[str, Destinations] = field(default_factory=dict)
    _limiter: CapacityLimiter = field(default_factory=partial(CapacityLimiter, HUB_IMAGES_AT_ONCE))
    # Both by kind, URL and hub: the running fetches, and the seconds for which a failure is remembered.
    _running: dict[tuple[str, str, str], asyncio.Task[MediaFile | None]] = field(default_factory=dict)
    _failed: TLRUCache[tuple[str, str, str], float] = field(
        default_factory=lambda: TLRUCache(_MOST_FAILURES, lambda _key, seconds, now: now + seconds, time.monotonic)
    )

    def routes(self) -> list[BaseRoute]:
        return [Route(f"/{HUB_IMAGE_PATH}", self.answer_image), Route(f"/{HUB_VIDEO_PATH}", self.answer_video)]

    def close(self) -> None:
        """Cancel all fetches at once. Cancelled one by one, each would start the next waiting fetch."""
        tasks = tuple(self._running.values())
        for loop in {task.get_loop() for task in tasks}:
            loop.call_soon_threadsafe(lambda: [task.cancel() for task in tasks])

    def fetch(self, url: str, hub: str, kind: MediaKind = IMAGE) -> MediaFile:
        """Fetch and check an image or a video. Raise HubUiError if the fetch fails or the file is of another kind."""
        with file_http(only=self.destinations.get(hub, Destinations()), retry_reads=False) as http:
            data = RangedSource(url).fetch(http, most=kind.most_bytes, seconds=kind.seconds)
        return check_video(data) if kind is VIDEO else check_image(data)

    async def answer_image(self, request: Request) -> Response:
        return await self._answer(request, IMAGE) or Response(MISSING, media_type="image/svg+xml", headers=NO_STORE)

    async def answer_video(self, request: Request) -> Response:
        response = await self._answer(request, VIDEO)
        return response or Response("This video can't be had just now.", 404, headers=NO_STORE)

    async def _answer(self, request: Request, kind: MediaKind) -> Response | None:
        """Return the stored or fetched file, or None if it can't be fetched. Status 403 means an invalid signature."""
        signed = self.links.read(kind.path, request.query_params, "url", "hub")
        if signed is None:
            return Response(OLD_LINK, 403)
        file = await to_thread.run_sync(self.store.get, signed["url"], kind.types)
        if file is None:
            file = await self._fetch_once((kind.path, signed["url"], signed["hub"]), kind)
        return file_response(request, file) if file is not None else None

    async def _fetch_once(self, key: tuple[str, str, str], kind: MediaKind) -> MediaFile | None:
        """Share one fetch between all requests for the same URL. Return None if it has failed recently."""
        if key in self._failed:
            return None
        if key not in self._running:
            self._running[key] = asyncio.create_task(self._fetch_and_store(key, kind))
        # A cancelled request must not cancel the fetch, because other requests may wait for it.
        return await asyncio.shield(self._running[key])

    async def _fetch_and_store(self, key: tuple[str, str, str], kind: MediaKind) -> MediaFile | None:
        _, url, hub = key
        try:
            # Only fetches use the limiter, so that stored images don't wait for slow hosts.
            file = await to_thread.run_sync(self.fetch, url, hub, kind, limiter=self._limiter)
            await to_thread.run_sync(self.store.put, url, file)
            return file
        except HubUiError as error:
            self._failed[key] = GONE_FOR if isinstance(error, NotFound | BadAnswer) else AGAIN_AFTER
            return None
        finally:
            del self._running[key]


def check_image(data: bytes) -> MediaFile:
    """Read the media type from the bytes. Raise BadAnswer unless the format is in FORMATS."""
    try:
        with open_image(io.BytesIO(data)) as image:
            return MediaFile(data=data, media_type=FORMAT_TYPES[image.format or ""])
    except TooLarge as error:
        raise BadAnswer(_("The image is too large to be shown.")) from error
    except ValueError as error:
        raise BadAnswer(_("What came is no image.")) from error


def check_video(data: bytes) -> MediaFile:
    """Read the media type from the bytes. Raise BadAnswer if browsers don't play the file."""
    for pattern, media_type in ((MP4, "video/mp4"), (_WEBM, "video/webm")):
        if pattern.match(data):
            return MediaFile(data=data, media_type=media_type)
    raise BadAnswer(_("What came is no video."))


def file_response(request: Request, file: MediaFile) -> Response:
    """Return the file, the requested range of it, or 304 if the browser has cached it."""
    etag, size = f'"{file.digest[:32]}"', len(file.data)
    headers = {**PRIVATE, "ETag": etag, "Accept-Ranges": "bytes"}
    if etag in request.headers.get("if-none-match", ""):
        return Response(status_code=304, headers=headers)
    wanted = _RANGE.fullmatch(request.headers.get("range", ""))
    if wanted is None or request.headers.get("if-range", etag) != etag:
        return Response(file.data, media_type=file.media_type, headers=headers)
    start, stop = int(wanted[1]), min(int(wanted[2]) + 1, size) if wanted[2] else size
    if start >= stop:
        return Response(status_code=416, headers={**headers, "Content-Range": f"bytes */{size}"})
    headers["Content-Range"] = f"bytes {start}-{stop - 1}/{size}"
    return Response(file.data[start:stop], 206, media_type=file.media_type, headers=headers)


def address(path: Path) -> str:
    """Return the URL of an image in a subfolder. It is relative, so that it works behind a proxy's path prefix."""
    return f"{IMAGES_PATH}/{path.parent.name}/{path.name}"


@dataclass(frozen=True, kw_only=True)
class GeneratedImages:
    """Storage of generated images in `folder`, and the route that serves them.

    Each image is in a subfolder. Its name has an unguessable part and a digest of the owner. Creating a subfolder
    deletes files that are older than `keep_seconds`.
    """

    folder: Path
    keep_seconds: float = 86_400.0
    secret: bytes = field(default_factory=lambda: secrets.token_bytes(32), repr=False)

    def route(self) -> Route:
        return Route(f"/{IMAGES_PATH}/{{inside}}/{{name}}", self.answer)

    def new(self, *, is_shared: bool = False) -> Path:
        """Create a folder for the current visitor's images. Any visitor with the URL may see a shared folder."""
        sweep(self.folder, self.keep_seconds)
        folder = self.folder / f"{secrets.token_urlsafe(24)}.{SHARED if is_shared else self._owner()}"
        folder.mkdir(mode=0o700, parents=True)
        return folder

    def save(self, image: Image.Image) -> str:
        """Save an image without provenance, and return its URL."""
        path = self.new() / "image.png"
        image.save(path)
        return address(path)

    def path(self, address: str) -> Path:
        """Return the path of an image. Raise NotFound if it was deleted or belongs to another visitor."""
        inside, _slash, name = address.removeprefix(f"{IMAGES_PATH}/").partition("/")
        path = self.folder / inside / name
        # Without visitors (a local page), every browser is the owner.
        owner = inside.partition(".")[2]
        is_own = current_visitor() is None or hmac.compare_digest(owner.encode(), self._owner().encode())
        is_own = is_own or owner == SHARED
        if path.suffix not in SUFFIX_TYPES or not is_own or not is_inside(path, self.folder):
            raise NotFound(_("This image is no longer here. Make it again."))
        return path

    async def answer(self, request: Request) -> Response:
        try:
            path = self.path("{inside}/{name}".format_map(request.path_params))
        except NotFound as error:
            return Response(error.message, 404)
        return FileResponse(path, media_type=SUFFIX_TYPES[path.suffix], headers=PRIVATE)

    def _owner(self) -> str:
        visitor = current_visitor()
        return hmac.digest(self.secret, (visitor.person if visitor else "").encode(), "sha256").hex()[:24]


def sweep(folder: Path, keep_seconds: float) -> None:
    """Delete images, uploads (incomplete ones as well) and empty folders unchanged for `keep_seconds`."""
    before = time.time() - keep_seconds
    for path in folder.glob("**/*"):
        with suppress(OSError):
            if path.stat().st_mtime < before:
                path.rmdir() if path.is_dir() else path.unlink()


def is_inside(path: Path, folder: Path) -> bool:
    """Return whether `path` is a file within `folder`, without symbolic links or "..".

    Return False if the name is invalid for a file.
    """
    try:
        return path.is_file() and path.resolve() == path and path.is_relative_to(folder)
    except (OSError, ValueError):
        return False


SIDE = 256
LOCAL_IMAGES_AT_ONCE = 2


@dataclass(frozen=True, kw_only=True)
class LocalImages:
    links: ImageLinks
    limiter: CapacityLimiter = field(default_factory=partial(CapacityLimiter, LOCAL_IMAGES_AT_ONCE))

    def route(self) -> Route:
        return Route(f"/{LOCAL_IMAGE_PATH}", self.answer)

    async def answer(self, request: Request) -> Response:
        signed = self.links.read(LOCAL_IMAGE_PATH, request.query_params, "path")
        if signed is None:
            return Response(OLD_LINK, 403)
        data = await to_thread.run_sync(small_copy, Path(signed["path"]), limiter=self.limiter)
        if data is None:
            return Response(MISSING, media_type="image/svg+xml", headers=NO_STORE)
        return Response(data, media_type="image/webp", headers={**SAFE, "Cache-Control": "private, max-age=3600"})


def small_copy(path: Path) -> bytes | None:
    """Return a thumbnail as WebP, or None if the file is missing, too large or not an image."""
    target = io.BytesIO()
    try:
        with open_image(path) as image:
            image.draft("RGB", (SIDE, SIDE))
            small = image.convert("RGB")
            small.thumbnail((SIDE, SIDE))
            small.save(target, format="WEBP", quality=80)
    except ValueError:
        return None
    return target.getvalue()
