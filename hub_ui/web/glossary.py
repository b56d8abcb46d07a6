"""The page /glossary: what the words of the app mean, from the table that the app itself takes them from."""

from dataclasses import dataclass

from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import Route

from hub_ui.i18n import language
from hub_ui.widgets.render import Renderer

HEADERS = {"Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'"}


@dataclass(frozen=True, kw_only=True)
class GlossaryPage:
    render: Renderer

    def route(self) -> Route:
        return Route("/glossary", self.answer)

    async def answer(self, request: Request) -> Response:
        theme = "dark" if request.query_params.get("theme") == "dark" else ""
        return HTMLResponse(self.render("glossary", theme=theme, language_code=language().code), headers=HEADERS)
