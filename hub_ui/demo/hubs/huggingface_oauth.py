"""Signing in with the local Hugging Face: OAuth 2 with a code, and OpenID Connect, as Gradio's sign-in uses them.

Any app may ask. The consent page takes any account; its tokens may read what `grants` of access.json names for it.
"""

import base64
import hashlib
import html
import json
import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlencode, urlsplit

from starlette.datastructures import FormData, QueryParams
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response
from starlette.routing import BaseRoute, Route

from hub_ui.demo.hubs.answers import RefusalError, bearer, html_answer, json_answer
from hub_ui.demo.hubs.folder import Json

SCOPES = (
    "openid", "profile", "email", "read-billing", "read-memberships", "read-repos", "gated-repos", "contribute-repos",
    "write-repos", "manage-repos", "inference-api", "jobs", "webhooks", "write-discussions",
)  # fmt: skip
_CODE_SECONDS = 60.0
_TOKEN_SECONDS = 28_800
# A key that everybody may know: what it signs counts for this local hub alone.
_P = int(
    "e06fac5aaa92d18ff75cc921a908a15e7d4f5c2bc065f92ac90fa74b069682d706776611ba0b6ea85c5655385f9d4970"
    "f915fb5bf205010052174e2efc976faf100ed72aa88ebabd2c3e3f1933ad86cf650e69fee9bfc624e544395624fef6b1"
    "35975635f6468041760fddf8480c94365d890b63fa92ecf3bdda6c4af3848b75",
    16,
)
_Q = int(
    "b95455b330426534af5f865d0a06714303d67ceaac71920f0682b9c4b23a7ebffb0dbc49b8df4d8e7fc570ce914904be"
    "1534dc1ebeb1599c734b4797086a4941dc633dea0238bc527c420901d6adc7e1b89f1bad5ba1e7a7325f56ce41cf176b"
    "70e1b95672046978c9c4e451b9d473502201f4a6d200ea115f78cad867248a8b",
    16,
)
_N, _E = _P * _Q, 65537
_KEY_ID = "local"
# How PKCS #1 writes that a SHA-256 follows (RFC 8017, section 9.2).
_SHA256 = bytes.fromhex("3031300d060960864801650304020105000420")
_PAGE = """<!DOCTYPE html><html><head><title>Sign in</title><link rel="icon" href="data:,">
</head><body><h1>Sign in to the local Hugging Face</h1>
<p>The app {client} wants: {scope}. It then sends you back to {host}.</p>
<form method="post" action="/oauth/authorize">{hidden}
<label>Account <input name="account" value="local" required pattern="[A-Za-z0-9_\\-]+"></label>
<button name="answer" value="yes">Authorize</button> <button name="answer" value="no">Cancel</button>
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
    ends: float


@dataclass(frozen=True, kw_only=True)
class HuggingFaceOAuth:
    """`codes` are used once, `tokens` are those given out."""

    origin: str
    codes: dict[str, Grant] = field(default_factory=dict)
    tokens: dict[str, Grant] = field(default_factory=dict)
    now: Callable[[], float] = time.time

    def routes(self) -> list[BaseRoute]:
        return [
            Route("/.well-known/openid-configuration", self.configuration, methods=["GET"]),
            Route("/oauth/authorize", self.consent, methods=["GET"]),
            Route("/oauth/authorize", self.authorize, methods=["POST"]),
            Route("/oauth/token", self.token, methods=["POST"]),
            Route("/oauth/userinfo", self.userinfo, methods=["GET", "POST"]),
            Route("/oauth/jwks", self.keys, methods=["GET"]),
        ]

    def find(self, token: str | None) -> Grant | None:
        """What a token allows; None for one of another kind, and one that has ended."""
        grant = self.tokens.get(token or "")
        return grant if grant is not None and grant.ends > self.now() else None

    def configuration(self, _request: Request) -> Response:
        places = {
            "authorization_endpoint": "authorize",
            "token_endpoint": "token",
            "userinfo_endpoint": "userinfo",
            "jwks_uri": "jwks",
        }
        return json_answer(
            {
                "issuer": self.origin,
                **{name: f"{self.origin}/oauth/{place}" for name, place in places.items()},
                "scopes_supported": SCOPES,
                "response_types_supported": ["code"],
                "grant_types_supported": ["authorization_code"],
                "subject_types_supported": ["public"],
                "id_token_signing_alg_values_supported": ["RS256"],
                "token_endpoint_auth_methods_supported": ["client_secret_basic", "client_secret_post"],
            }
        )

    def keys(self, _request: Request) -> Response:
        numbers = {"n": _encode(_bytes(_N)), "e": _encode(_E.to_bytes(3, "big"))}
        return json_answer({"keys": [{"kty": "RSA", "use": "sig", "alg": "RS256", "kid": _KEY_ID, **numbers}]})

    def consent(self, request: Request) -> Response:
        asked = _read(request.query_params)
        hidden = "".join(
            f'<input type="hidden" name="{name}" value="{html.escape(asked[name])}">' for name in _ASKED if asked[name]
        )
        shown = {name: html.escape(asked[name]) for name in ("client_id", "scope")}
        host = html.escape(urlsplit(asked["redirect_uri"]).netloc)
        return HTMLResponse(_PAGE.format(client=shown["client_id"], scope=shown["scope"], host=host, hidden=hidden))

    async def authorize(self, request: Request) -> Response:
        form = await request.form()
        asked = _read(form)
        state = {"state": asked["state"]} if asked["state"] else {}
        account = str(form.get("account") or "")
        if form.get("answer") != "yes" or not account:
            return _redirect(asked["redirect_uri"], {"error": "access_denied", **state})
        code = secrets.token_urlsafe(24)
        self.codes[code] = Grant(
            account=account,
            client=asked["client_id"],
            redirect_uri=asked["redirect_uri"],
            # As on the Hub, where an app always gets these two.
            scopes=frozenset(asked["scope"].split()) | {"openid", "profile"},
            nonce=asked["nonce"],
            ends=self.now() + _CODE_SECONDS,
        )
        return _redirect(asked["redirect_uri"], {"code": code, **state})

    async def token(self, request: Request) -> Response:
        form = await request.form()
        client, secret = _credentials(request, form)
        grant = self.codes.pop(str(form.get("code")), None)
        if not client or not secret:
            return json_answer({"error": "invalid_client"}, 401, {"WWW-Authenticate": "Basic"})
        if form.get("grant_type") != "authorization_code":
            return json_answer({"error": "unsupported_grant_type"}, 400)
        if (
            grant is None
            or grant.ends < self.now()
            or (grant.client, grant.redirect_uri) != (client, form.get("redirect_uri"))
        ):
            return json_answer({"error": "invalid_grant", "error_description": "Invalid code"}, 400)
        token, now = f"hf_oauth_{secrets.token_urlsafe(32)}", int(self.now())
        self.tokens[token] = Grant(**{**vars(grant), "ends": now + _TOKEN_SECONDS})
        claims = {"iss": self.origin, "aud": client, "iat": now, "auth_time": now, "exp": now + _TOKEN_SECONDS}
        nonce = {"nonce": grant.nonce} if grant.nonce else {}
        answer = {
            "access_token": token,
            "token_type": "bearer",
            "expires_in": _TOKEN_SECONDS,
            "scope": " ".join(sorted(grant.scopes)),
            "id_token": _sign({**claims, **nonce, **self._person(grant)}),
        }
        return json_answer(answer, headers={"Cache-Control": "no-store"})

    def userinfo(self, request: Request) -> Response:
        grant = self.find(bearer(request))
        if grant is None:
            return json_answer({"error": "Invalid credentials in Authorization header"}, 401)
        return json_answer(self._person(grant))

    def _person(self, grant: Grant) -> Json:
        return {
            "sub": hashlib.sha256(grant.account.encode()).hexdigest()[:24],
            "name": grant.account.title(),
            "preferred_username": grant.account,
            "profile": f"{self.origin}/{grant.account}",
            "picture": f"{self.origin}/avatars/{grant.account}.svg",
            "website": "",
            "isPro": False,
            "orgs": [],
        }


def _read(values: QueryParams | FormData) -> dict[str, str]:
    """What an app asks for. Raises RefusalError for what can't be sent back to it."""
    asked = {name: str(values.get(name) or "") for name in _ASKED}
    place = urlsplit(asked["redirect_uri"])
    if asked["response_type"] != "code" or not asked["client_id"] or place.scheme not in ("http", "https"):
        text = "An app sent you here with an address that is not complete."
        raise RefusalError(html_answer("Invalid request", text, 400))
    return asked


def _redirect(uri: str, answer: dict[str, str]) -> Response:
    return RedirectResponse(f"{uri}{'&' if urlsplit(uri).query else '?'}{urlencode(answer)}", 302)


def _credentials(request: Request, form: FormData) -> tuple[str, str]:
    """By Basic authentication, or in the form."""
    scheme, _, given = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() != "basic":
        return str(form.get("client_id") or ""), str(form.get("client_secret") or "")
    try:
        client, _, secret = base64.b64decode(given, validate=True).decode().partition(":")
    except ValueError:
        return "", ""
    return client, secret


def _sign(claims: dict[str, Any]) -> str:
    """A JSON Web Token, signed as RS256 says (RFC 7518, section 3.3)."""
    parts = ({"alg": "RS256", "typ": "JWT", "kid": _KEY_ID}, claims)
    text = ".".join(_encode(json.dumps(part, separators=(",", ":")).encode()) for part in parts)
    digest = _SHA256 + hashlib.sha256(text.encode()).digest()
    size = len(_bytes(_N))
    padded = b"\x00\x01" + b"\xff" * (size - len(digest) - 3) + b"\x00" + digest
    signature = pow(int.from_bytes(padded, "big"), pow(_E, -1, (_P - 1) * (_Q - 1)), _N)
    return f"{text}.{_encode(signature.to_bytes(size, 'big'))}"


def _bytes(number: int) -> bytes:
    return number.to_bytes((number.bit_length() + 7) // 8, "big")


def _encode(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()
