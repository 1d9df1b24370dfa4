"""The service of a benchmark: the real one, with an endpoint beside it that does nothing."""

import socket
import sys
from typing import Annotated

import uvicorn
from fastapi import Depends, FastAPI, Response

from api.app import create_app
from api.attended import end_with_input
from api.dependencies import allow
from api.service import settle
from api.services.keys import Caller
from api.settings import Settings

NOTHING = "/v1/nothing"


def served() -> FastAPI:
    """Returns the app of this deployment and its empty endpoint, behind the same doors."""
    app = create_app(Settings(), sweeps=True)

    async def nothing(_: Annotated[Caller, Depends(allow("order-service"))]) -> Response:
        return Response(b"{}", 201, media_type="application/json")

    app.add_api_route(NOTHING, nothing, methods=["POST"], status_code=201)
    return app


if __name__ == "__main__":
    end_with_input()
    config = uvicorn.Config(served(), log_level="warning", ws="none")
    settle()
    uvicorn.Server(config).run(sockets=[socket.socket(fileno=int(sys.argv[1]))])
