"""How a request is refused: in the form that Gradio's front end shows to a person as it is."""

from __future__ import annotations

from starlette.responses import JSONResponse


class Refused(Exception):
    """`message` says what to do next."""

    def __init__(self, message: str, status: int = 400) -> None:
        super().__init__(message)
        self.message = message
        self.status = status

    def response(self) -> JSONResponse:
        return JSONResponse({"detail": self.message}, status_code=self.status)
