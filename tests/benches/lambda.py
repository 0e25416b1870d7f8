"""What each function's executable weighs and how quickly it begins, against the budgets of a
Lambda function.

    python3 tests/benches/lambda.py FOLDER FUNCTION...

Takes the executables in FOLDER (`make lambda` builds them), zips each as Lambda wants it, and runs
it under a Runtime API of its own (AWS Lambda, "Using the Lambda runtime API for custom runtimes").
Sizes and the C library that is needed are the same on every machine, so a broken budget there ends
with 1. Times and memory are this machine's, and are only told.
"""

import json
import os
import platform
import selectors
import socket
import statistics
import struct
import subprocess
import sys
import time
import zipfile

MIB = 1024 * 1024
# What a cold start has to fetch and unpack. Who links Parquet gets as much again.
ZIP_BYTES_MAX = 4 * MIB
ZIP_BYTES_MAX_OF = {"ingest": 8 * MIB}
# What Amazon Linux 2023 has, on which the runtime provided.al2023 stands.
GLIBC_MAX = (2, 34)
FIRST_POLL_MS = 15
NOOP_MS = 2

STARTS = 20
EVENTS = 200
PATIENCE_S = 10

# Every function passes over a change of an endpoint but deploy, for which it is a hint.
NOOP = {
    "source": "aws.sagemaker",
    "detail-type": "SageMaker Endpoint State Change",
    "detail": {"EndpointName": "bench", "EndpointStatus": "InService"},
}

# As Lambda sets it; nothing is called, so nothing needs to be there.
ENVIRONMENT = {
    "AWS_REGION": "eu-west-1",
    "AWS_ACCESS_KEY_ID": "bench",
    "AWS_SECRET_ACCESS_KEY": "bench",
    "AWS_LAMBDA_FUNCTION_NAME": "bench",
    "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": "512",
    "AWS_LAMBDA_FUNCTION_VERSION": "$LATEST",
    "AWS_LAMBDA_LOG_LEVEL": "WARN",
    "MILLRACE_TABLE": "bench",
    "MILLRACE_BUS": "bench",
    "MILLRACE_BUCKET": "bench",
    "MILLRACE_INCOMING": "bench",
}


def pack(executable, into):
    """Zips an executable as `bootstrap`: the same bytes from the same executable."""
    entry = zipfile.ZipInfo("bootstrap", date_time=(1980, 1, 1, 0, 0, 0))
    # A plain file that may be run, as Unix says it.
    entry.create_system = 3
    entry.external_attr = 0o100755 << 16
    entry.compress_type = zipfile.ZIP_DEFLATED
    with zipfile.ZipFile(into, "w") as archive, open(executable, "rb") as file:
        archive.writestr(entry, file.read(), compresslevel=9)
    return os.path.getsize(into)


def glibc(executable):
    """The newest version of glibc's symbols that an executable needs, by its ELF header.

    Format: System V ABI, "Dynamic Section", and Linux Standard Base, "Symbol Versioning".
    """
    with open(executable, "rb") as file:
        elf = file.read()
    if elf[:6] != b"\x7fELF\x02\x01":
        sys.exit(f"{executable}: expected an ELF file of 64 bits, little endian")
    table, size, count = (struct.unpack_from(kind, elf, at)[0] for kind, at in [("<Q", 32), ("<H", 54), ("<H", 56)])
    segments = [struct.unpack_from("<IIQQQQQQ", elf, table + number * size) for number in range(count)]
    loaded = [(address, offset, length) for kind, _, offset, address, _, length, _, _ in segments if kind == 1]

    def offset_of(address):
        for start, offset, length in loaded:
            if start <= address < start + length:
                return offset + address - start
        sys.exit(f"{executable}: {address:#x} is in no segment")

    dynamic = {}
    for kind, _, offset, _, _, length, _, _ in segments:
        if kind == 2:
            dynamic.update(struct.iter_unpack("<QQ", elf[offset : offset + length]))
    strings, needs, libraries = (dynamic.get(tag) for tag in (5, 0x6FFFFFFE, 0x6FFFFFFF))
    versions = [(0, 0)]
    at = offset_of(needs) if needs else 0
    for _ in range(libraries or 0):
        _, entries, _, first, following = struct.unpack_from("<HHIII", elf, at)
        entry = at + first
        for _ in range(entries):
            _, flags, _, name, further = struct.unpack_from("<IHHII", elf, entry)
            # Bit 1: only weak symbols want it, which may be missing.
            start = offset_of(strings + name)
            text = elf[start : elf.index(b"\0", start)].decode()
            if text.startswith("GLIBC_2") and not flags & 2:
                versions.append(tuple(int(part) for part in text[len("GLIBC_") :].split(".")[:2]))
            entry += further
        at += following
    return max(versions)


class RuntimeApi:
    """The Runtime API for one process, which may hold several connections and asks on one."""

    def __init__(self):
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.selector = selectors.DefaultSelector()
        self.selector.register(self.listener, selectors.EVENT_READ)
        self.asking = None

    @property
    def address(self):
        return "127.0.0.1:%d" % self.listener.getsockname()[1]

    def take(self):
        """The next request: its first line and body, and the moment its first bytes came."""
        connection, received, came = self.begin()
        while b"\r\n\r\n" not in received:
            received += connection.recv(65536)
        head, _, body = received.partition(b"\r\n\r\n")
        first, *headers = head.decode().split("\r\n")
        headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in headers)}
        if "transfer-encoding" in headers:
            sys.exit(f"{first}: expected a body of a known length")
        while len(body) < int(headers.get("content-length", 0)):
            body += connection.recv(65536)
        self.asking = connection
        return first, body, came

    def begin(self):
        """The first bytes of a request, the connection they came on, and when."""
        while True:
            ready = self.selector.select(PATIENCE_S)
            if not ready:
                sys.exit(f"the function has asked for nothing within {PATIENCE_S} s")
            for key, _ in ready:
                if key.fileobj is self.listener:
                    connection, _ = self.listener.accept()
                    connection.settimeout(PATIENCE_S)
                    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                    self.selector.register(connection, selectors.EVENT_READ)
                    continue
                received = key.fileobj.recv(65536)
                if received:
                    return key.fileobj, received, now()
                self.selector.unregister(key.fileobj)
                key.fileobj.close()

    def answer(self, status, headers=(), body=b""):
        lines = [f"HTTP/1.1 {status}", f"content-length: {len(body)}", *headers, "", ""]
        self.asking.sendall("\r\n".join(lines).encode() + body)
        return now()

    def close(self):
        for key in list(self.selector.get_map().values()):
            key.fileobj.close()
        self.selector.close()


def now():
    """In milliseconds, by the clock that only goes forward."""
    return time.perf_counter() * 1000


def start(executable):
    """Starts a function; answers it, its Runtime API, and how long it took to ask for an event."""
    api = RuntimeApi()
    begun = now()
    process = subprocess.Popen(
        [executable],
        env=ENVIRONMENT | {"AWS_LAMBDA_RUNTIME_API": api.address},
        stdin=subprocess.DEVNULL,
        close_fds=False,
    )
    first, _, came = api.take()
    if "/runtime/invocation/next" not in first:
        sys.exit(f"{executable}: expected it to ask for an event, found {first}")
    return process, api, came - begun


def noop(api, number):
    """Delivers an event that there is nothing to do about; answers how long that took."""
    headers = [
        "content-type: application/json",
        f"lambda-runtime-aws-request-id: request-{number}",
        "lambda-runtime-deadline-ms: 4102444800000",
        "lambda-runtime-invoked-function-arn: arn:aws:lambda:eu-west-1:123456789012:function:bench",
    ]
    sent = api.answer("200 OK", headers, json.dumps(NOOP).encode())
    first, body, came = api.take()
    if not first.startswith(f"POST /2018-06-01/runtime/invocation/request-{number}/response "):
        sys.exit(f"expected an answer to request-{number}, found {first}: {body.decode()}")
    api.answer("202 Accepted")
    api.take()
    return came - sent


def peak_bytes(process):
    """The most memory that a process has held."""
    with open(f"/proc/{process.pid}/status") as status:
        for line in status:
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) * 1024
    return 0


def measure(executable):
    """Medians of many starts and many events, and the first event of each process."""
    polls, firsts, warm, peak = [], [], [], 0
    for round_number in range(STARTS):
        process, api, took = start(executable)
        try:
            polls.append(took)
            firsts.append(noop(api, 0))
            if round_number == 0:
                warm = [noop(api, number) for number in range(1, EVENTS + 1)]
            peak = max(peak, peak_bytes(process))
        finally:
            process.kill()
            process.wait()
            api.close()
    return statistics.median(polls), statistics.median(firsts), statistics.median(warm), peak


def main(folder, functions):
    print(f"{platform.machine()}, {os.cpu_count()} cores; median of {STARTS} starts, of {EVENTS} events")
    broken = []
    for function in functions:
        executable = os.path.abspath(os.path.join(folder, function))
        packed = pack(executable, os.path.join(folder, f"{function}.zip"))
        most = ZIP_BYTES_MAX_OF.get(function, ZIP_BYTES_MAX)
        needed = glibc(executable)
        poll, first, warm, peak = measure(executable)
        print(
            f"{function}: zip {packed / MIB:.2f} MiB of {most // MIB}"
            f" · executable {os.path.getsize(executable) / MIB:.1f} MiB"
            f" · glibc {'.'.join(map(str, needed))} of {'.'.join(map(str, GLIBC_MAX))}"
            f" · first poll {poll:.1f} ms of {FIRST_POLL_MS}"
            f" · no-op {warm:.2f} ms of {NOOP_MS}, the first {first:.2f} ms"
            f" · peak {peak / MIB:.1f} MiB"
        )
        if packed > most:
            broken.append(f"{function}: its zip has {packed} bytes, expected at most {most}")
        if needed > GLIBC_MAX:
            newest = ".".join(map(str, needed))
            broken.append(f"{function}: it needs glibc {newest}, and provided.al2023 has 2.34")
    if broken:
        sys.exit("\n".join(broken))


if __name__ == "__main__":
    if len(sys.argv) < 3:
        sys.exit(__doc__)
    main(sys.argv[1], sys.argv[2:])
