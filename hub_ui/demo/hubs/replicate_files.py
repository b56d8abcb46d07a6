"""Replicate's files: uploaded to be the input of a run, and readable with the key only."""

import base64
import hashlib
import secrets
import time
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from starlette.datastructures import UploadFile
from starlette.requests import Request

from hub_ui.demo.hubs.content import InMemory
from hub_ui.demo.hubs.folder import Json

MOST_BYTES = 100 * 1024 * 1024
_KEPT_FOR = timedelta(hours=24)


@dataclass(frozen=True, kw_only=True)
class Uploaded:
    data: Json
    content: InMemory


@dataclass(frozen=True, kw_only=True)
class Files:
    origin: str
    held: dict[str, Uploaded] = field(default_factory=dict)

    async def take(self, request: Request) -> Json | None:
        """From a multipart body, its part `content`; None for any other body, or one that is too large."""
        # Starlette reads forms with python-multipart, which comes with Gradio.
        async with request.form(max_part_size=MOST_BYTES) as form:
            part = form.get("content")
            if not isinstance(part, UploadFile):
                return None
            raw = await part.read(MOST_BYTES)
            if len(raw) >= MOST_BYTES:
                return None
            return self._keep(part.filename or "file", part.content_type or "application/octet-stream", raw)

    def _keep(self, name: str, content_type: str, raw: bytes) -> Json:
        file_id = base64.urlsafe_b64encode(secrets.token_bytes(27)).decode()
        content, now = InMemory(data=raw), datetime.fromtimestamp(time.time(), UTC)
        md5 = hashlib.md5(raw, usedforsecurity=False).hexdigest()
        data: Json = {
            "id": file_id,
            "name": name,
            "content_type": content_type,
            "size": len(raw),
            "etag": md5,
            "checksums": {"sha256": content.sha256, "md5": md5},
            "metadata": {},
            "created_at": now.strftime("%Y-%m-%dT%H:%M:%S.000Z"),
            "expires_at": (now + _KEPT_FOR).strftime("%Y-%m-%dT%H:%M:%S.000Z"),
            "urls": {"get": f"{self.origin}/v1/files/{file_id}"},
        }
        self.held[file_id] = Uploaded(data=data, content=content)
        return data

    def all(self) -> list[Json]:
        return [uploaded.data for uploaded in reversed(self.held.values())]

    def of(self, url: object) -> InMemory | None:
        """The bytes of a file that an input names by its address here."""
        prefix = f"{self.origin}/v1/files/"
        uploaded = self.held.get(str(url).removeprefix(prefix)) if str(url).startswith(prefix) else None
        return uploaded.content if uploaded else None
