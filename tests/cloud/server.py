"""An AWS-compatible server (moto) for tests, which takes each request by itself and can be told to
misbehave.

Two transactions at once are not isolated from each other in moto, so requests take turns; callers
still race between their requests. The port stands on the first line of the output. The server ends
with its standard input.
"""

import json
import os
import socket
import sys
import threading

from moto.moto_server.werkzeug_app import (
    DomainDispatcherApplication,
    MotoRequestHandler,
    create_backend_app,
)
from werkzeug.serving import make_server

TURN = threading.Lock()
SEEN = []  # what was asked for since somebody looked, as faults are matched with it
FAULTS = []  # {"match": text in the target or in "METHOD path", "do": what, "skip": n, "times": n}


class Quiet(MotoRequestHandler):
    def log(self, *_):
        pass


def name_of(environ):
    """What a request asks for."""
    asked = f"{environ['REQUEST_METHOD']} {environ['PATH_INFO']}?{environ.get('QUERY_STRING', '')}"
    return f"{environ.get('HTTP_X_AMZ_TARGET', '')} {asked}"


def fault(name):
    """What is to go wrong with this request, if anything."""
    for entry in FAULTS:
        if entry["match"] in name and entry["times"] > 0:
            if entry.get("skip", 0) > 0:
                entry["skip"] -= 1
                continue
            entry["times"] -= 1
            return entry["do"]
    return None


def answer(start, status, body):
    start(status, [("Content-Type", "application/x-amz-json-1.0"), ("Content-Length", str(len(body)))])
    return [body]


def with_turns(app):
    def take(environ, start):
        # Read whole before the turn begins: a slow sender holds nobody up.
        if environ["PATH_INFO"] in ("/_faults", "/_seen"):
            body = environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
        if environ["PATH_INFO"] == "/_faults":
            FAULTS[:] = json.loads(body)
            return answer(start, "200 OK", b"{}")
        if environ["PATH_INFO"] == "/_seen":
            seen = [SEEN.pop(0) for _ in range(len(SEEN))]
            return answer(start, "200 OK", json.dumps(seen).encode())
        name = name_of(environ)
        do = fault(name)
        # Seen only now: an order that comes after is of later requests.
        SEEN.append(name)
        if do == "hang":
            threading.Event().wait(3600)
        if do == "throttle":
            return answer(start, "400 Bad Request", b'{"__type":"ThrottlingException","message":"slow down"}')
        if do == "fail":
            return answer(start, "500 Internal Server Error", b'{"__type":"InternalServerError"}')
        with TURN:
            told = []
            body = b"".join(app(environ, lambda *arguments: told.append(arguments)))
        if do == "lose":
            # It has happened, and nobody learns of it.
            environ["werkzeug.socket"].shutdown(socket.SHUT_RDWR)
            raise ConnectionError("the answer was lost")
        start(*told[-1][:2])
        return [body]

    return take


def main():
    backend = DomainDispatcherApplication(create_backend_app)
    server = make_server("127.0.0.1", 0, with_turns(backend), threaded=True, request_handler=Quiet)
    print(server.server_port, flush=True)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    sys.stdin.read()
    os._exit(0)


main()
