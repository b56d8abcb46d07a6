"""What a browser does over HTTP, without a screen: cookies, forms, images, and the parts that a page loads by itself.

It keeps every byte of the answers, streams included.
"""

import re
from collections.abc import Iterator, Mapping, MutableSequence
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urljoin

import requests
from bs4 import BeautifulSoup, Tag
from requests.adapters import HTTPAdapter

from tests.hub_ui.web.conftest import PART as PARTIAL
from tests.hub_ui.web.raw import messages

SECONDS = 120
EVENTS = "text/event-stream"
NAVIGATION = {"Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "document"}
PART = {**PARTIAL, "Sec-Fetch-Mode": "cors", "Sec-Fetch-Dest": "empty"}
Values = Mapping[str, str | list[str]]
# The name of a file, its bytes and its type, by the field.
Files = Mapping[str, tuple[str, bytes, str]]


@dataclass(kw_only=True, eq=False)
class Answer:
    """`body` grows while a stream is read."""

    request: str
    status: int
    headers: bytes
    body: bytearray = field(default_factory=bytearray)


class Recorder(HTTPAdapter):
    def __init__(self, answers: MutableSequence[Answer]) -> None:
        super().__init__()
        self.answers = answers

    def send(self, request: requests.PreparedRequest, *_args: Any, **more: Any) -> requests.Response:
        response = super().send(request, **{**more, "stream": True})
        lines = "\n".join(f"{name.lower()}: {value}" for name, value in response.raw.headers.items())
        name = f"{request.method} {request.path_url}"
        answer = Answer(request=name, status=response.status_code, headers=lines.encode("latin-1"))
        self.answers.append(answer)
        # Browsers send these to their own computer too.
        told = response.raw._original_response.msg  # type: ignore[union-attr]
        cookies = told.get_all("set-cookie", [])
        del told["set-cookie"]
        for cookie in cookies:
            told.add_header("set-cookie", re.sub("; *secure", "", cookie, flags=re.IGNORECASE))
        if not is_stream(response):
            answer.body.extend(response.content)
        return response


class Browser:
    """One person's. What stands on the page is in `pieces`: the page, then each part that came later."""

    def __init__(self, url: str) -> None:
        self.url = self.address = url
        self.answers: list[Answer] = []
        self.pieces: list[BeautifulSoup] = []
        self.session = requests.Session()
        self.session.trust_env = False
        self.session.headers.update({"Accept-Encoding": "identity", "Sec-Fetch-Site": "same-origin"})
        self.session.mount(url, Recorder(self.answers))
        self._loaded, self._asked = set[str](), set[str]()

    @property
    def text(self) -> str:
        """What is read on the page, old parts included."""
        return " ".join(piece.get_text(" ", strip=True) for piece in self.pieces)

    def go(self, path: str = "") -> None:
        self.show(self.request("GET", path, headers=NAVIGATION))

    def part(self, path: str, target: str = "") -> None:
        """As a link that htmx takes over."""
        self.add(self.request("GET", path, headers={**PART, "HX-Target": target}))

    def submit(
        self,
        form: str,
        button: str = "",
        *,
        values: Values | None = None,
        files: Files | None = None,
        part: bool = False,
    ) -> None:
        """As a browser sends the form, with other `values`; `part`: as htmx does."""
        found, pressed = self.one(form), self.one(button) if button else None
        sent: dict[str, Any] = {**fields_of(self.pieces_with(found), found), **(values or {})}
        if pressed is not None and pressed.get("name"):
            sent[str(pressed["name"])] = str(pressed.get("value", ""))
        names = ("hx-post", "formaction") if part else ("formaction",)
        places = [str(pressed[name]) for name in names if pressed is not None and pressed.get(name)]
        path = (places or [str(found.get("hx-post" if part else "action") or found.get("action") or "")])[0]
        method, headers = str(found.get("method", "get")).upper(), PART if part else NAVIGATION
        data: dict[str, Any] = {"params": sent} if method == "GET" else {"data": sent, "files": files}
        answer = self.request(method, path, headers=headers, **data)
        (self.add if part else self.show)(answer)

    def request(
        self, method: str, path: str, *, headers: Mapping[str, str] | None = None, **more: Any
    ) -> requests.Response:
        asked = {"HX-Current-URL": self.address, **(headers or {})}
        if method == "POST":
            asked["Origin"] = self.url.rstrip("/")
        return self.session.request(
            method, urljoin(self.address, path), headers=asked, timeout=SECONDS, stream=True, **more
        )

    def show(self, answer: requests.Response) -> None:
        """In place of the page."""
        self.address = answer.url
        self.pieces, self._asked = [], set()
        self.add(answer)

    def add(self, answer: requests.Response) -> None:
        """To the page, with all that it loads by itself."""
        for name in ("HX-Push-Url", "HX-Replace-Url"):
            if answer.headers.get(name, "false") != "false":
                self.address = urljoin(self.address, answer.headers[name])
        if address := answer.headers.get("HX-Redirect"):
            self.go(address)
        elif is_stream(answer):
            for message in self.messages(answer):
                self.load(BeautifulSoup(message, "html.parser"))
        elif answer.headers.get("Content-Type", "").startswith("text/html"):
            self.load(BeautifulSoup(answer.text, "html.parser"))

    def messages(self, answer: requests.Response) -> Iterator[str]:
        """The HTML of each event."""
        kept = next(a for a in reversed(self.answers) if a.request.endswith(answer.request.path_url))

        def lines() -> Iterator[bytes]:
            for line in answer.iter_lines():
                kept.body.extend(line + b"\n")
                yield line

        return messages(lines())

    def load(self, piece: BeautifulSoup) -> None:
        self.pieces.append(piece)
        if not self.address.startswith(self.url):
            return
        for each in piece.select("img[src], script[src], link[rel=stylesheet]"):
            path = str(each.get("src") or each.get("href"))
            if path not in self._loaded and not path.startswith("data:"):
                self._loaded.add(path)
                self.request("GET", path).close()
        for each in piece.select("[hx-get][hx-trigger^=load]"):
            path = str(each["hx-get"])
            # An element that a part has again stays as it is.
            if path not in self._asked:
                self._asked.add(path)
                self.add(self.request("GET", path, headers=PART))

    def all(self, selector: str) -> list[Tag]:
        """The newest first."""
        return [each for piece in reversed(self.pieces) for each in piece.select(selector)]

    def one(self, selector: str) -> Tag:
        found = self.all(selector)
        assert found, f"{self.address} has no {selector}: {self.text[:600]}"
        return found[0]

    def pieces_with(self, form: Tag) -> list[BeautifulSoup]:
        return [piece for piece in self.pieces if form in piece.find_all(form.name)]

    def close(self) -> None:
        self.session.close()


def is_stream(answer: requests.Response) -> bool:
    return answer.headers.get("Content-Type", "").startswith(EVENTS)


def fields_of(pieces: list[BeautifulSoup], form: Tag) -> dict[str, list[str]]:
    """What a browser sends of a form that nobody has touched."""
    sent: dict[str, list[str]] = {}
    own = form.select("input[name], select[name], textarea[name]")
    others = (
        [each for piece in pieces for each in piece.select(f"[form={form.get('id')}][name]")] if form.get("id") else []
    )
    for each in [*(one for one in own if one.get("form", form.get("id")) == form.get("id")), *others]:
        if each.has_attr("disabled") or each.name == "button" or each.get("type") == "file":
            continue
        if each.get("type") in ("checkbox", "radio") and not each.has_attr("checked"):
            continue
        value: Any = each.get("value", "on" if each.get("type") == "checkbox" else "")
        if each.name == "textarea":
            value = each.get_text().removeprefix("\n")
        elif each.name == "select":
            chosen = each.select("option[selected]") or each.select("option")[:1]
            value = chosen[0].get("value", chosen[0].get_text()) if chosen else ""
        sent.setdefault(str(each["name"]), []).append(str(value))
    return sent
