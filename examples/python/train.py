"""How does a Python program learn and serve in Millrace, with nothing but Python itself?

    python3 train.py train      reads the channels, writes the model
    python3 train.py serve      answers /ping and /invocations

It follows SageMaker's container contract under SAGEMAKER_BASE_DIR (by default /opt/ml):

    input/config/hyperparameters.json   {"ridge": "1.0"}; every value is a text
    input/data/features/features.json   the serving columns with their kinds, and the target
    input/data/train/*.csv              the serving columns and the target, by name
    model/model.json                    what was learned
    output/failure                      why it failed

The model is a ridge regression on the number, integer and boolean columns, or for a binary
problem a ridge logistic regression; missing values take the column's mean. Put your own
library in place of `fit` and `predict`; the rest is the contract.
"""

import csv
import json
import math
import os
import pathlib
import signal
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

BASE = pathlib.Path(os.environ.get("SAGEMAKER_BASE_DIR", "/opt/ml"))
MODEL = BASE / "model" / "model.json"
BODY_BYTES_MAX = 6 * 1024 * 1024
NUMERIC = ("number", "integer", "boolean")
# Names the platform hands to every program; this one uses `problem` and `ridge`.
IGNORED_PREFIXES = ("_", "sagemaker_")


class Wrong(Exception):
    """Something given is wrong; the message says what, where and what was expected."""


def cell(text, kind, where):
    """A cell of CSV or JSON as a float, or None if it is missing."""
    if text is None or text == "":
        return None
    if isinstance(text, bool):
        return float(text)
    if kind == "boolean" and str(text).lower() in ("true", "false"):
        return float(str(text).lower() == "true")
    try:
        number = float(text)
    except (TypeError, ValueError):
        number = math.nan
    if not math.isfinite(number):
        raise Wrong(f"{where}: found {text!r}, expected a {kind}")
    return number


# Learning.


def solve(matrix, right):
    """Solves a symmetric positive definite system by Cholesky's decomposition."""
    size = len(right)
    lower = [[0.0] * size for _ in range(size)]
    for i in range(size):
        for j in range(i + 1):
            rest = matrix[i][j] - sum(lower[i][k] * lower[j][k] for k in range(j))
            lower[i][j] = math.sqrt(max(rest, 1e-12)) if i == j else rest / lower[j][j]
    forward = []
    for i in range(size):
        forward.append((right[i] - sum(lower[i][k] * forward[k] for k in range(i))) / lower[i][i])
    solution = [0.0] * size
    for i in reversed(range(size)):
        later = sum(lower[k][i] * solution[k] for k in range(i + 1, size))
        solution[i] = (forward[i] - later) / lower[i][i]
    return solution


def normal_equations(rows, weights, responses, ridge):
    """Weighted least squares with a penalty on all but the intercept, which comes first."""
    size = len(rows[0])
    matrix = [[0.0] * size for _ in range(size)]
    right = [0.0] * size
    for row, weight, response in zip(rows, weights, responses):
        for i, value in enumerate(row):
            scaled = weight * value
            right[i] += scaled * response
            line = matrix[i]
            for j in range(i + 1):
                line[j] += scaled * row[j]
    for i in range(size):
        matrix[i][i] += ridge if i else 0.0
        for j in range(i):
            matrix[j][i] = matrix[i][j]
    return solve(matrix, right)


def sigmoid(x):
    x = max(-30.0, min(30.0, x))
    return 1.0 / (1.0 + math.exp(-x))


def dot(a, b):
    return sum(x * y for x, y in zip(a, b))


def fit(rows, targets, problem, ridge):
    """The coefficients, intercept first."""
    if problem == "regression":
        return normal_equations(rows, [1.0] * len(rows), targets, ridge)
    coefficients = [0.0] * len(rows[0])
    for round_number in range(1, 26):  # Newton's method; it has converged long before.
        margins = [dot(coefficients, row) for row in rows]
        chances = [sigmoid(margin) for margin in margins]
        weights = [max(p * (1.0 - p), 1e-6) for p in chances]
        responses = [m + (y - p) / w for m, y, p, w in zip(margins, targets, chances, weights)]
        following = normal_equations(rows, weights, responses, ridge)
        step = max(abs(a - b) for a, b in zip(coefficients, following))
        coefficients = following
        chances = (min(max(p, 1e-12), 1.0 - 1e-12) for p in chances)
        loss = sum(-math.log(p if y else 1.0 - p) for p, y in zip(chances, targets)) / len(rows)
        print(f"#round={round_number} train:logloss={loss}", flush=True)
        if step < 1e-8:
            break
    return coefficients


def mean_and_scale(values):
    known = [value for value in values if value is not None]
    if not known:
        return 0.0, 1.0
    mean = sum(known) / len(known)
    variance = sum((value - mean) ** 2 for value in known) / len(known)
    return mean, math.sqrt(variance) or 1.0


def design(row, columns):
    """A row as the model sees it: 1, then the standardised columns, the missing at their mean."""
    return [1.0] + [
        0.0 if value is None else (value - column["mean"]) / column["scale"] for value, column in zip(row, columns)
    ]


def predict(model, row):
    margin = dot(model["coefficients"], design(row, model["columns"]))
    return margin if model["problem"] == "regression" else sigmoid(margin)


# The contract: train.


def hyperparameters():
    path = BASE / "input/config/hyperparameters.json"
    given = json.loads(path.read_text()) if path.exists() else {}
    given = {name: value for name, value in given.items() if not name.startswith(IGNORED_PREFIXES)}
    for name in given:
        if name not in ("problem", "ridge"):
            raise Wrong(f"hyperparameters.json: unknown hyperparameter {name!r}, expected problem or ridge")
    try:
        ridge = float(given.get("ridge", "1.0"))
    except ValueError:
        ridge = math.nan
    if not (ridge >= 0.0 and math.isfinite(ridge)):
        raise Wrong(f"hyperparameters.json: ridge: found {given['ridge']!r}, expected 0 or more")
    return given.get("problem"), ridge


def labels(texts, problem):
    """The targets as numbers, and the two classes of a binary problem in their order."""
    if problem == "regression":
        return [cell(text, "number", "target") for text in texts], []
    classes = sorted({text for text in texts if text != ""})
    try:
        classes.sort(key=float)
    except ValueError:
        pass
    if len(classes) != 2:
        raise Wrong(f"target: found {len(classes)} classes, expected 2")
    return [None if text == "" else float(classes.index(text)) for text in texts], classes


def read_channel(name, inputs, target):
    """The numeric serving columns of each row, and the target's text."""
    rows, texts = [], []
    for path in sorted((BASE / "input/data" / name).iterdir()):
        with path.open(newline="", encoding="utf-8") as file:
            reader = csv.DictReader(file)
            wanted = [column["name"] for column in inputs] + [target]
            absent = [column for column in wanted if column not in (reader.fieldnames or [])]
            if absent:
                raise Wrong(f"{path}: missing columns {', '.join(absent)}")
            for record in reader:
                where = f"{path}:{reader.line_num}"
                rows.append([cell(record[c["name"]], c["kind"], f"{where}: {c['name']}") for c in inputs])
                texts.append(record[target])
    return rows, texts


def train():
    problem, ridge = hyperparameters()
    features = json.loads((BASE / "input/data/features/features.json").read_text())
    target = features["target"]
    problem = problem or {"boolean": "binary"}.get(target["kind"], "regression")
    if problem not in ("regression", "binary"):
        raise Wrong(f"problem: found {problem}, expected regression or binary")
    used = [column for column in features["inputs"] if column["kind"] in NUMERIC]
    rows, texts = read_channel("train", used, target["name"])
    targets, classes = labels(texts, problem)
    known = [(row, y) for row, y in zip(rows, targets) if y is not None]
    if not known:
        raise Wrong("train: no rows whose target is known")
    columns = []
    for index, column in enumerate(used):
        mean, scale = mean_and_scale([row[index] for row, _ in known])
        columns.append({**column, "mean": mean, "scale": scale})
    design_rows = [design(row, columns) for row, _ in known]
    targets = [y for _, y in known]
    model = {
        "problem": problem,
        "classes": classes,
        "inputs": features["inputs"],
        "columns": columns,
        "coefficients": fit(design_rows, targets, problem, ridge),
    }
    if problem == "regression":
        errors = [(dot(model["coefficients"], row) - y) ** 2 for row, y in zip(design_rows, targets)]
        print(f"#round=1 train:rmse={math.sqrt(sum(errors) / len(errors))}", flush=True)
    MODEL.parent.mkdir(parents=True, exist_ok=True)
    MODEL.write_text(json.dumps(model, indent=1) + "\n")


# The contract: serve.


def rows_of(model, content_type, body):
    """The numeric serving columns of each row of a request."""
    names = [column["name"] for column in model["inputs"]]
    if content_type == "application/json":
        try:
            records = json.loads(body)["instances"]
        except (ValueError, KeyError, TypeError):
            raise Wrong('request: expected {"instances": [{"column": value, …}, …]}') from None
        if not isinstance(records, list) or not all(isinstance(record, dict) for record in records):
            raise Wrong("request: instances: expected an array of objects")
        for number, record in enumerate(records, 1):
            unknown = [name for name in record if name not in names]
            if unknown:
                raise Wrong(f"request:{number}: unknown column {unknown[0]!r}")
    elif content_type in ("text/csv", ""):
        lines = [line for line in csv.reader(body.decode("utf-8").splitlines(keepends=True)) if line]
        if lines and lines[0] == names:
            lines = lines[1:]
        for number, line in enumerate(lines, 1):
            if len(line) != len(names):
                raise Wrong(f"request:{number}: found {len(line)} fields, expected {len(names)}")
        records = [dict(zip(names, line)) for line in lines]
    else:
        raise Wrong(f"request: Content-Type: found {content_type}, expected text/csv or application/json")
    rows = []
    for number, record in enumerate(records, 1):
        where = f"request:{number}"
        rows.append([cell(record.get(c["name"]), c["kind"], f"{where}: {c['name']}") for c in model["columns"]])
    if not rows:
        raise Wrong("request: no rows, expected one at least")
    return rows


class Handler(BaseHTTPRequestHandler):
    """SageMaker's two routes."""

    protocol_version = "HTTP/1.1"
    model = None

    def do_GET(self):
        self.answer(200 if self.path == "/ping" else 404, "text/plain", b"")

    def do_POST(self):
        length = self.headers.get("Content-Length", "")
        if not length.isdigit() or int(length) > BODY_BYTES_MAX:
            self.close_connection = True
            return self.refuse(413 if length.isdigit() else 411, f"request: expected at most {BODY_BYTES_MAX} bytes")
        body = self.rfile.read(int(length))
        if self.path != "/invocations":
            return self.refuse(404, f"no such path: {self.path}")
        content_type = self.headers.get("Content-Type", "").split(";")[0].strip().lower()
        try:
            predictions = [predict(self.model, row) for row in rows_of(self.model, content_type, body)]
        except (Wrong, UnicodeDecodeError, csv.Error) as fault:
            return self.refuse(400, str(fault))
        accepted = self.headers.get("Accept", "*/*").split(";")[0].strip()
        if accepted == "application/json" or (accepted == "*/*" and content_type == "application/json"):
            return self.answer(200, "application/json", json.dumps({"predictions": predictions}).encode())
        return self.answer(200, "text/csv; charset=utf-8", "".join(f"{value!r}\n" for value in predictions).encode())

    def refuse(self, status, message):
        self.answer(status, "application/json", json.dumps({"error": message}).encode())

    def answer(self, status, content_type, body):
        self.send_response(status)
        self.send_header("Content-Type", content_type)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        """Requests are not logged: their rows are not ours to write down."""


def serve():
    Handler.model = json.loads(MODEL.read_text())
    host = "127.0.0.1" if os.environ.get("MILLRACE_LOCAL") == "1" else "0.0.0.0"
    server = ThreadingHTTPServer((host, int(os.environ.get("SAGEMAKER_BIND_TO_PORT") or 8080)), Handler)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    print(f"listening on {host}:{server.server_address[1]}", flush=True)
    server.serve_forever()


def main():
    if sys.argv[1:] == ["serve"]:
        return serve()
    if sys.argv[1:] != ["train"]:
        sys.exit("usage: python3 train.py train | serve")
    try:
        return train()
    except (Wrong, OSError, ValueError, KeyError) as fault:
        failure = BASE / "output" / "failure"
        failure.parent.mkdir(parents=True, exist_ok=True)
        reason = f"{type(fault).__name__}: {fault}" if not isinstance(fault, Wrong) else str(fault)
        failure.write_text(reason[:1024])
        sys.exit(reason)


if __name__ == "__main__":
    main()
