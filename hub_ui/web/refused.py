"""A request that is not answered."""

from starlette.responses import JSONResponse


class Refused(Exception):
    """`message` says what to do next."""

    def __init__(self, message: str, status: int = 400) -> None:
        super().__init__(message)
        self.message = message
        self.status = status

    def response(self) -> JSONResponse:
        return JSONResponse({"detail": self.message}, status_code=self.status)
