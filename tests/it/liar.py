"""A program by SageMaker's contract that lies, or hangs, where its hyperparameters ask it to."""

import json
import os
import pathlib
import sys
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

BASE = pathlib.Path(os.environ["SAGEMAKER_BASE_DIR"])
MODEL = BASE / "model" / "model.json"


def train():
    asked = json.loads((BASE / "input/config/hyperparameters.json").read_text())
    if asked["lie"] == "hang":
        print("still learning", flush=True)
        while True:
            time.sleep(1)
    MODEL.write_text(json.dumps(asked))


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    lie = "none"

    def do_GET(self):
        self.answer(200, "")

    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"])).decode()
        rows = body.count("\n")
        if self.lie == "silence":
            # Not a byte, and no more than that.
            self.close_connection = True
            return
        if self.lie == "refusal":
            return self.answer(500, "out of memory\n")
        answers = {"garbage": "<html>", "nan": "nan", "error": "101"}.get(self.lie, "100")
        count = {"fewer": rows - 1, "more": rows + 1, "emptiness": 0}.get(self.lie, rows)
        self.answer(200, f"{answers}\n" * count)

    def answer(self, status, text):
        self.send_response(status)
        self.send_header("Content-Type", "text/csv")
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text.encode())

    def log_message(self, *_):
        pass


def serve():
    asked = json.loads(MODEL.read_text())
    here = "evaluation" if os.environ.get("SAGEMAKER_BATCH") else "endpoint"
    if asked["where"] == here:
        Handler.lie = asked["lie"]
    port = int(os.environ["SAGEMAKER_BIND_TO_PORT"])
    ThreadingHTTPServer(("127.0.0.1", port), Handler).serve_forever()


train() if sys.argv[1:] == ["train"] else serve()
