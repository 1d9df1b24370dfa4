"""The body limit: no request makes the service read more than it agreed to."""

from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send


class BodyLimit:
    """Refuses bodies above a number of bytes, announced or not (chunked), before they are kept.

    Starlette's own limit answers in plain text; this one raises inside the app, so that the
    answer is a problem document like every other.
    """

    def __init__(self, app: ASGIApp, max_bytes: int) -> None:
        self.app, self.max_bytes = app, max_bytes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Passes the request on, counting what it sends."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        announced = _announced(scope)
        taken = 0

        async def counted() -> Message:
            nonlocal taken
            if announced > self.max_bytes:
                raise self._refusal()
            message = await receive()
            taken += len(message.get("body", b""))
            if taken > self.max_bytes:
                raise self._refusal()
            return message

        await self.app(scope, counted, send)

    def _refusal(self) -> HTTPException:
        return HTTPException(413, f"The body is larger than {self.max_bytes} bytes.")


def _announced(scope: Scope) -> int:
    for name, text in scope["headers"]:
        if name == b"content-length" and text.isdigit():
            return int(text)
    return 0
