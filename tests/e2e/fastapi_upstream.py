"""A FastAPI application for rails.test.mjs. Prints its port; its responses show which handler was reached."""

import socket

import uvicorn
from fastapi import FastAPI, Request
from fastapi.responses import PlainTextResponse

METHODS = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"]
app = FastAPI()


@app.api_route("/admin/secret", methods=METHODS)
@app.api_route("/admin/{rest:path}", methods=METHODS)
def admin() -> PlainTextResponse:
    return PlainTextResponse("reached-the-admin-handler")


@app.api_route("/{rest:path}", methods=METHODS)
def echo(request: Request) -> PlainTextResponse:
    query = request.scope["query_string"]
    return PlainTextResponse(request.scope["raw_path"] + (b"?" + query if query else b""))


listener = socket.create_server(("127.0.0.1", 0))
print(listener.getsockname()[1], flush=True)
uvicorn.Server(uvicorn.Config(app, log_level="warning")).run(sockets=[listener])
