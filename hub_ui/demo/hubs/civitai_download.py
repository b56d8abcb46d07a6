"""CivitAI's `/api/download/models/:versionId`: who gets the file, and which file.

Source: civitai, src/pages/api/download/models/[modelVersionId].ts, August 2026.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from urllib.parse import quote

from starlette.datastructures import QueryParams
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from hub_ui.demo.hubs.answers import RefusalError, attachment, bearer, json_answer
from hub_ui.demo.hubs.civitai_query import is_paid
from hub_ui.demo.hubs.civitai_store import CivitaiStore, Model
from hub_ui.demo.hubs.cursors import natural
from hub_ui.demo.hubs.delivery import Delivery
from hub_ui.demo.hubs.folder import HubFile, Json

_BROWSERS = ("mozilla", "chrome", "safari", "firefox", "opera", "edge")
_DISABLED = "The creator of this asset has disabled downloads on this file"
_LOGIN = "The creator of this asset requires you to be logged in to download it"
_EARLY = "This asset is in Early Access. You can use Buzz access it now!"
_LIFETIME = 86400


@dataclass(frozen=True, kw_only=True)
class Downloads:
    store: CivitaiStore
    delivery: Delivery
    now: Callable[[], datetime]

    def answer(self, request: Request) -> Response:
        number = natural(request.path_params["version_id"])
        if number is None:
            return json_answer({"error": "Invalid modelVersionId"}, 400)
        found = self.store.by_version.get(number)
        if found is None or not found[0].is_open:
            raise _not_found()
        model, version = found
        wire = _choose_file(version.get("files") or [], request.query_params)
        known = self.store.files.get(wire.get("id", 0)) if wire else None
        self._check(request, model, version, known)
        if wire is None or known is None:
            raise _not_found()
        key = f"/{model.data.get('userId', 0)}/model/{wire['id']}/{wire['name']}"
        location = self.delivery.sign(key, known.content, attachment(wire["name"]), lifetime=_LIFETIME)
        return RedirectResponse(location, 307, {"Cache-Control": "no-store, max-age=0"})

    def needs_login(self, version: Json, known: HubFile | None) -> bool:
        return bool(version.get("requireAuth")) or (known is not None and known.access in ("login", "gated", "paid"))

    def is_gated(self, version: Json, known: HubFile | None) -> bool:
        return is_paid(version, self.now()) or (known is not None and known.access in ("gated", "paid"))

    def _check(self, request: Request, model: Model, version: Json, known: HubFile | None) -> None:
        access = known.access if known else None
        if model.data.get("mode") == "Archived" or access == "archived":
            raise RefusalError(json_answer({"error": "Model archived, not available for download"}, 410))
        if model.data.get("mode") == "TakenDown" or access == "removed":
            raise _not_found()
        token = bearer(request) or request.query_params.get("token")
        signed_in = self.store.access.is_signed_in("civitai", token)
        # The login comes first, so an anonymous caller learns nothing of early access.
        if not signed_in and (self.needs_login(version, known) or self.is_gated(version, known)):
            raise RefusalError(_login_answer(request))
        if access == "disabled" or version.get("usageControl", "Download") != "Download":
            raise RefusalError(json_answer({"error": "Unauthorized", "message": _DISABLED}, 401))
        names = (f"{model.id}@{version['id']}", str(model.id), str(version["id"]))
        if self.is_gated(version, known) and not self.store.access.is_granted(token, *names):
            raise RefusalError(self._gate_answer(request, model, version, access))

    def _gate_answer(self, request: Request, model: Model, version: Json, access: str | None) -> Response:
        if access == "gated":
            return json_answer({"error": "You do not have access to download this file"}, 403)
        if looks_like_browser(request):
            return RedirectResponse(f"/models/{model.id}?modelVersionId={version['id']}", 307)
        ends = (version.get("paidAccess") or {}).get("endsAt")
        return json_answer({"error": "Early Access", **({"deadline": ends} if ends else {}), "message": _EARLY}, 403)


def looks_like_browser(request: Request) -> bool:
    agent = request.headers.get("user-agent", "").lower()
    return any(name in agent for name in _BROWSERS)


def _login_answer(request: Request) -> Response:
    if looks_like_browser(request):
        back = quote(request.url.path, safe="")
        return RedirectResponse(f"/login?returnUrl={back}&reason=download-auth", 307)
    return json_answer({"error": "Unauthorized", "message": _LOGIN}, 401)


def _not_found() -> RefusalError:
    return RefusalError(json_answer({"error": "File not found"}, 404))


def _choose_file(files: list[Json], params: QueryParams) -> Json | None:
    """By `fileId`, or the primary file. Any other selector is compared with the primary and 404s on a mismatch."""
    if "fileId" in params:
        return next((file for file in files if str(file.get("id")) == params["fileId"]), None)
    primary = next((file for file in files if file.get("primary")), files[0] if files else None)
    if primary is None:
        return None
    metadata = primary.get("metadata") or {}
    known = {"type": primary.get("type"), **{key: metadata.get(key) for key in ("format", "size", "fp", "quantType")}}
    asked = {key: params[key] for key in known if key in params}
    return primary if all(str(known[key]) == value for key, value in asked.items()) else None
