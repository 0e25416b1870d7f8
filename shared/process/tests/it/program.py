"""A program by SageMaker's contract that does what its tests ask it to."""

import csv
import io
import json
import os
import pathlib
import signal
import subprocess
import sys
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

BASE = pathlib.Path(os.environ["SAGEMAKER_BASE_DIR"])
MODEL = BASE / "model" / "model.txt"


def wait_for(gate):
    print("#round=1 validation:rmse=0.5")
    while not os.path.exists(gate):
        time.sleep(0.01)


SEARCHED = ("print x", "trace", "wait with x", "fail above 50", "wait after the first")


def search(how, asked):
    x = int(asked["x"])
    told = {name: os.environ.get(name) for name in (
        "SM_NUM_CPUS", "OMP_NUM_THREADS", "RAYON_NUM_THREADS", "OMP_WAIT_POLICY", "TRAINING_JOB_NAME")}
    if how == "trace":
        told["metric"] = asked["_tuning_objective_metric"]
        note(asked["trace"], "begin " + json.dumps(told))
    if how == "fail above 50" and x > 50:
        sys.exit("x is too large")
    print(f"#round=1 loss={x + 1}")
    if how == "wait with x":
        subprocess.Popen([sys.executable, "-c", "import time\nwhile True: time.sleep(1)"])
        # A trial that is to go on is asked nothing more.
        time.sleep(0.5)
        wait_for(asked["gate"])
    if how == "wait after the first" and not told["TRAINING_JOB_NAME"].endswith("-001"):
        wait_for(asked["gate"])
    print(f"#round=2 loss={x + 2}")
    print(f"the score is {x}")
    print(f"kept 1 round: loss={x}")
    rows = (BASE / "input/data/train/train.csv").read_text().splitlines()
    MODEL.write_text(f"x = {x}, {len(rows)} rows")
    if how == "trace":
        note(asked["trace"], "end")


def note(path, line):
    with open(path, "a") as file:
        file.write(line + "\n")


def train():
    asked = json.loads((BASE / "input/config/hyperparameters.json").read_text())
    how = asked["how"]
    if how == "fail":
        (BASE / "output/failure").write_text("the target is constant")
        sys.exit(3)
    if how == "crash":
        print("#round=1 validation:rmse=0.5")
        print("last words")
        sys.exit(4)
    if how in SEARCHED:
        return search(how, asked)
    if how == "nothing":
        return
    if how == "environment":
        MODEL.write_text("\n".join(sorted(os.environ)))
        return
    if how == "stubborn":
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        wait_for(asked["gate"])
    if how == "wait":
        wait_for(asked["gate"])
    if how == "leave a child":
        child = [sys.executable, "-c", "import time\nwhile True: time.sleep(1)"]
        subprocess.Popen(child, close_fds=False)
    if how == "once more":
        with open(asked["trace"], "a") as trace:
            trace.write("began\n")
        if len(pathlib.Path(asked["trace"]).read_text().splitlines()) == 1:
            wait_for("/nowhere")
    data = (BASE / "input/data/train/train.csv").read_text()
    (BASE / "model/notes").mkdir()
    (BASE / "model/notes/z.txt").write_text("z")
    MODEL.write_text(f"learned from {len(data.splitlines())} rows")
    print("#round=2 train:rmse=0.2 validation:rmse=0.25")
    print("kept 2 rounds")


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    model = ""

    def do_GET(self):
        self.answer(200, "")

    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"])).decode()
        if body == "die\n":
            os._exit(1)
        if body == "hang\n":
            os.kill(os.getpid(), signal.SIGSTOP)
            # The signal may stop the other threads first.
            wait_for("/nowhere")
        if body == "pid\n":
            return self.answer(200, f"{os.getpid()}\n")
        if body == "headers\n":
            told = [self.headers.get(f"X-Amzn-SageMaker-{name}") for name in ("Inference-Id", "Custom-Attributes")]
            return self.answer(200, f"{told[0]} {told[1]}\n")
        if body == "refuse\n":
            return self.answer(400, "that row is none\n")
        rows = [row for row in csv.reader(io.StringIO(body)) if row]
        if self.model == "short":
            rows = rows[1:]
        self.answer(200, "".join(f"{self.model}:{row[0]}\n" for row in rows))

    def answer(self, status, text):
        self.send_response(status)
        self.send_header("Content-Type", "text/csv; charset=utf-8")
        self.send_header("Content-Length", str(len(text.encode())))
        self.end_headers()
        self.wfile.write(text.encode())

    def log_message(self, *_):
        pass


class Server(ThreadingHTTPServer):
    request_queue_size = 64


def serve():
    Handler.model = MODEL.read_text()
    if Handler.model == "broken":
        sys.exit("this model cannot be read")
    if Handler.model == "silent":
        wait_for("/nowhere")
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    Server(("127.0.0.1", int(os.environ["SAGEMAKER_BIND_TO_PORT"])), Handler).serve_forever()


train() if sys.argv[1:] == ["train"] else serve()
