"""Signing in with the local Hugging Face: OAuth 2 with a code, and OpenID Connect, as Gradio's sign-in uses them.

`running_hubs(data, apps=apps_behind(SignIn().around))`. Any app may ask. The consent page takes any account, whose
`grants` stand under its name in access.json; for the hub, a token that may read repos is the account's name.
"""

import base64
import hashlib
import html
import secrets
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlencode, urlsplit

from joserfc import jwt
from joserfc.jwk import RSAKey
from starlette.applications import Starlette
from starlette.datastructures import Headers, MutableHeaders
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, RedirectResponse, Response
from starlette.routing import Mount, Route
from starlette.types import ASGIApp, Receive, Scope, Send

_SECONDS = 28_800
_READS = frozenset({"read-repos", "gated-repos"})
_KEY = RSAKey.generate_key(2048, {"kid": "local", "use": "sig", "alg": "RS256"})
_PAGE = """<!DOCTYPE html><html><head><title>Sign in</title><link rel="icon" href="data:,">
</head><body><h1>Sign in to the local Hugging Face</h1>
<p>The app {client_id} wants: {scope}. It then sends you back to {host}.</p>
<form method="post" action="/oauth/authorize">{hidden}
<label>Account <input name="account" value="local" required pattern="[A-Za-z0-9_\\-]+"></label>
<button>Authorize</button>
</form></body></html>
"""
_ASKED = ("client_id", "redirect_uri", "response_type", "scope", "state", "nonce")


@dataclass(frozen=True, kw_only=True)
class Grant:
    """What a person has allowed an app."""

    account: str
    client: str
    redirect_uri: str
    scopes: frozenset[str]
    nonce: str


@dataclass(frozen=True, kw_only=True)
class SignIn:
    """`codes` are used once, `tokens` are those given out, which never end."""

    codes: dict[str, Grant] = field(default_factory=dict)
    tokens: dict[str, Grant] = field(default_factory=dict)

    def around(self, name: str, app: ASGIApp) -> ASGIApp:
        if name != "huggingface":
            return app
        return Starlette(
            routes=[
                Route("/.well-known/openid-configuration", self.configuration),
                Route("/oauth/authorize", self.consent, methods=["GET"]),
                Route("/oauth/authorize", self.authorize, methods=["POST"]),
                Route("/oauth/token", self.token, methods=["POST"]),
                Route("/oauth/userinfo", self.userinfo),
                Route("/oauth/jwks", self.keys),
                Mount("", self._as_account(app)),
            ]
        )

    def _as_account(self, app: ASGIApp) -> ASGIApp:
        async def called(scope: Scope, receive: Receive, send: Send) -> None:
            if scope["type"] == "http" and (grant := self._find(Headers(scope=scope))):
                account = grant.account if grant.scopes & _READS else "nobody"
                MutableHeaders(scope=scope)["authorization"] = f"Bearer {account}"
            await app(scope, receive, send)

        return called

    def _find(self, headers: Mapping[str, str]) -> Grant | None:
        """What a token allows; None for one of another kind."""
        return self.tokens.get(headers.get("authorization", "").partition(" ")[2])

    def configuration(self, request: Request) -> Response:
        origin = _origin(request)
        return JSONResponse(
            {
                "issuer": origin,
                "authorization_endpoint": f"{origin}/oauth/authorize",
                "token_endpoint": f"{origin}/oauth/token",
                "userinfo_endpoint": f"{origin}/oauth/userinfo",
                "jwks_uri": f"{origin}/oauth/jwks",
            }
        )

    def keys(self, _request: Request) -> Response:
        return JSONResponse({"keys": [_KEY.as_dict(private=False)]})

    def consent(self, request: Request) -> Response:
        asked = {name: html.escape(value) for name, value in _read(request.query_params).items()}
        hidden = "".join(f'<input type="hidden" name="{name}" value="{asked[name]}">' for name in _ASKED if asked[name])
        return HTMLResponse(_PAGE.format(**asked, host=urlsplit(asked["redirect_uri"]).netloc, hidden=hidden))

    async def authorize(self, request: Request) -> Response:
        form = await request.form()
        asked = _read(form)
        code = secrets.token_urlsafe(24)
        self.codes[code] = Grant(
            account=str(form["account"]),
            client=asked["client_id"],
            redirect_uri=asked["redirect_uri"],
            # As on the Hub, where an app always gets these two.
            scopes=frozenset(asked["scope"].split()) | {"openid", "profile"},
            nonce=asked["nonce"],
        )
        back = urlencode({"code": code, "state": asked["state"]})
        return RedirectResponse(f"{asked['redirect_uri']}{'&' if '?' in asked['redirect_uri'] else '?'}{back}", 302)

    async def token(self, request: Request) -> Response:
        form = await request.form()
        given = request.headers["authorization"].partition("Basic ")[2]
        client = base64.b64decode(given).decode().partition(":")[0]
        grant = self.codes.pop(str(form.get("code")), None)
        if grant is None or (grant.client, grant.redirect_uri) != (client, form.get("redirect_uri")):
            return JSONResponse({"error": "invalid_grant", "error_description": "Invalid code"}, 400)
        token, now = f"hf_oauth_{secrets.token_urlsafe(32)}", int(time.time())
        self.tokens[token] = grant
        nonce = {"nonce": grant.nonce} if grant.nonce else {}
        claims = {"iss": _origin(request), "aud": client, "iat": now, "auth_time": now, "exp": now + _SECONDS}
        answer = {
            "access_token": token,
            "token_type": "bearer",
            "expires_in": _SECONDS,
            "scope": " ".join(sorted(grant.scopes)),
            "id_token": jwt.encode(
                {"alg": "RS256", "kid": "local"}, {**claims, **nonce, **_person(request, grant)}, _KEY
            ),
        }
        return JSONResponse(answer, headers={"Cache-Control": "no-store"})

    def userinfo(self, request: Request) -> Response:
        grant = self._find(request.headers)
        if grant is None:
            raise HTTPException(401)
        return JSONResponse(_person(request, grant))


def _origin(request: Request) -> str:
    return str(request.base_url).rstrip("/")


def _person(request: Request, grant: Grant) -> dict[str, Any]:
    return {
        "sub": hashlib.sha256(grant.account.encode()).hexdigest()[:24],
        "name": grant.account.title(),
        "preferred_username": grant.account,
        "profile": f"{_origin(request)}/{grant.account}",
        "picture": f"{_origin(request)}/avatars/{grant.account}.svg",
    }


def _read(values: Mapping[str, Any]) -> dict[str, str]:
    """What an app asks for."""
    return {name: str(values.get(name) or "") for name in _ASKED}
