"""The images that are trained on: a zip, or the files themselves. They are kept until their training is started."""

import re
import secrets
import shutil
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from starlette.datastructures import FormData, UploadFile
from starlette.requests import Request

from connectors.errors import UsageError
from hub_ui.i18n import _
from hub_ui.training import TrainingSet, training_set
from hub_ui.web.refused import Refused
from hub_ui.web.uploads import Uploads, receive_upload

MOST_FILES = 2_000
_NAME = re.compile(r"[\w-]{20,40}")
# Names of files mean nothing to the trainer, but a caption has that of its image.
_NOT_PLAIN = re.compile(r"[^\w.() -]+")


@dataclass(frozen=True, kw_only=True)
class TrainingUploads:
    """`folder` holds one packed zip a set, named by its id, which is a secret."""

    folder: Path
    uploads: Uploads

    @asynccontextmanager
    async def read_form(self, request: Request) -> AsyncIterator[FormData]:
        """The fields and files of a form. Raises UsageError for more than Replicate takes."""
        length = request.headers.get("content-length", "")
        try:
            upload = self.uploads.begin(int(length) if length.isascii() and length.isdigit() else None)
            bounded = Request(request.scope, receive_upload(upload, request.receive))
            try:
                form = await bounded.form(max_files=MOST_FILES, max_fields=40, max_part_size=100_000)
            finally:
                self.uploads.end(upload)
        except Refused as error:
            raise UsageError(error.message) from error
        try:
            yield form
        finally:
            await form.close()

    def keep(self, files: Sequence[UploadFile]) -> tuple[str, TrainingSet]:
        """Packs the images, and gives the id of the set. Raises UsageError for what could not be trained on."""
        named = [file for file in files if file.filename]
        if not named:
            raise UsageError(_("Choose images first: 10 to 20 of the same thing, from several angles."))
        id_ = secrets.token_urlsafe(24)
        part = self.folder / f"{id_}.part"
        part.mkdir(parents=True)
        try:
            for number, file in enumerate(named):
                with (part / plain_name(str(file.filename), number)).open("xb") as kept:
                    shutil.copyfileobj(file.file, kept)
            zips = [path for path in part.iterdir() if path.suffix.lower() == ".zip"]
            images = training_set(zips[0] if zips else part)
        except FileExistsError as error:
            raise UsageError(_("Two of the files have the same name. Rename one of them.")) from error
        finally:
            shutil.rmtree(part, ignore_errors=True)
        (self.folder / f"{id_}.zip").write_bytes(images.zipped)
        return id_, images

    def find(self, id_: str) -> TrainingSet:
        """Raises UsageError for one that is no longer here."""
        path = self.folder / f"{id_}.zip"
        if not _NAME.fullmatch(id_) or not path.is_file():
            raise UsageError(_("The images are no longer here. Choose them again to see the price."))
        return training_set(path)


def plain_name(name: str, number: int) -> str:
    """A name within the folder, whatever a browser says."""
    plain = _NOT_PLAIN.sub("-", Path(name.replace("\\", "/")).name).lstrip(".")[-120:]
    return plain or f"{number}"
