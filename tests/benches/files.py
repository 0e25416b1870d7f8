#!/usr/bin/env python3
"""Millrace beside its peers on the same file: wall time, CPU time, peak memory.

    python3 tests/benches/files.py                    # 200 MB, peers from PyPI
    python3 tests/benches/files.py --mb 1000 --no-peers
    python3 tests/benches/files.py --peers pandas,duckdb

Prints tables, with each figure as a ratio to Millrace's, and asserts nothing: figures of a
machine are news, not a test. Needs Python 3 alone; peers are installed into .venv-bench, and
whatever cannot be is named and left out.
"""

import argparse
import os
import platform
import random
import re
import subprocess
import sys
import time
import venv
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
VENV = ROOT / ".venv-bench"
EXAMPLE = ROOT / "examples/home-insurance/contract.yaml"
HEADER = (
    "quote_id,quoted_at,region,wall_type,build_year,floor_area,bedrooms,market_value,"
    "claims_before,alarm,claim_cost\n"
)
REGIONS = ["north", "east", "south", "west", "coast"]
WALLS = ["brick", "timber", "stone", "concrete"]

# The peers, with the import name where it differs; each runs in a process of its own.
PEERS = {
    "pandas": ["pandas"],
    "polars": ["polars"],
    "duckdb": ["duckdb"],
    "pandera": ["pandas", "pandera"],
    "great_expectations": ["pandas", "great_expectations"],
    "ydata-profiling": ["setuptools<81", "ydata-profiling"],
}

# What each peer is asked. `FILE` is argv[1]. The checks are those of the contract, as far as
# the peer has them.
READ = """
import sys, pandas as pd
frame = pd.read_csv(sys.argv[1], parse_dates=["quoted_at"])
"""
PROFILES = {
    "pandas read_csv, describe": (
        "pandas",
        READ + "frame.describe(include='all').to_string(); frame.nunique().to_string()",
    ),
    "polars read_csv, describe": (
        "polars",
        "import sys, polars as pl\n"
        "frame = pl.read_csv(sys.argv[1], try_parse_dates=True)\n"
        "str(frame.describe()); [frame[c].n_unique() for c in frame.columns]",
    ),
    "duckdb SUMMARIZE": (
        "duckdb",
        "import sys, duckdb\n"
        "duckdb.sql(f\"SUMMARIZE SELECT * FROM read_csv('{sys.argv[1]}')\").fetchall()",
    ),
    "ydata-profiling, minimal": (
        "ydata-profiling",
        READ + "from ydata_profiling import ProfileReport\n"
        "ProfileReport(frame, minimal=True, progress_bar=False).to_file(sys.argv[1] + '.ydata.html')",
    ),
}
CHECKS = {
    "pandera": (
        "pandera",
        READ + """
import pandera.pandas as pa
def number(low, high, strict=False, kind=float, **more):
    least = pa.Check.gt(low) if strict else pa.Check.ge(low)
    return pa.Column(kind, [least, pa.Check.le(high)], **more)
schema = pa.DataFrameSchema({
    "quote_id": pa.Column(str, pa.Check.str_matches(r"^Q[0-9]{2}-[0-9]{6,9}$"), unique=True),
    "quoted_at": pa.Column("datetime64[ns, UTC]", pa.Check.ge(pd.Timestamp("2025-01-01", tz="UTC")), coerce=True),
    "region": pa.Column(str, pa.Check.isin(["north", "east", "south", "west", "coast"])),
    "wall_type": pa.Column(str, pa.Check.isin(["brick", "timber", "stone", "concrete"]), nullable=True),
    "build_year": number(1600, 2026, kind=int),
    "floor_area": number(0, 2000, strict=True),
    "bedrooms": number(0, 30, kind=int),
    "market_value": number(0, 20_000_000, strict=True, coerce=True),
    "claims_before": number(0, 50, kind=int),
    "alarm": pa.Column(bool),
    "claim_cost": number(0, 1_000_000),
})
schema.validate(frame, lazy=True)
""",
    ),
    "great_expectations": (
        "great_expectations",
        READ + """
import great_expectations as gx
import great_expectations.expectations as e
context = gx.get_context(mode="ephemeral")
asset = context.data_sources.add_pandas("p").add_dataframe_asset("quotes")
batch = asset.add_batch_definition_whole_dataframe("all")
between = lambda c, low, high, **k: e.ExpectColumnValuesToBeBetween(column=c, min_value=low, max_value=high, **k)
required = ["quote_id", "quoted_at", "region", "build_year", "floor_area", "bedrooms", "market_value",
            "claims_before", "alarm", "claim_cost"]
suite = context.suites.add(gx.ExpectationSuite(name="contract", expectations=[
    *[e.ExpectColumnValuesToNotBeNull(column=c) for c in required],
    e.ExpectColumnValuesToBeUnique(column="quote_id"),
    e.ExpectColumnValuesToMatchRegex(column="quote_id", regex=r"^Q[0-9]{2}-[0-9]{6,9}$"),
    e.ExpectColumnValuesToBeInSet(column="region", value_set=["north", "east", "south", "west", "coast"]),
    e.ExpectColumnValuesToBeInSet(column="wall_type", value_set=["brick", "timber", "stone", "concrete"]),
    between("build_year", 1600, 2026), between("floor_area", 0, 2000, strict_min=True),
    between("bedrooms", 0, 30), between("market_value", 0, 20_000_000, strict_min=True),
    between("claims_before", 0, 50), between("claim_cost", 0, 1_000_000),
]))
result = context.validation_definitions.add(gx.ValidationDefinition(name="v", data=batch, suite=suite)).run(
    batch_parameters={"dataframe": frame})
assert result.success, result
""",
    ),
}


def generate(path, megabytes):
    """Home-insurance quotes whose keys are all different, the same for the same size."""
    chance = random.Random(7)
    uniform, normal = chance.random, chance.gauss
    written = number = 0
    with open(path, "w", encoding="ascii") as file:
        written += file.write(HEADER)
        while written < megabytes * 1_000_000:
            lines = []
            for _ in range(10_000):
                number += 1
                area = min(max(100 + 35 * normal(0, 1), 25), 400)
                value = area * max(2400 + 300 * normal(0, 1), 600)
                second = int(uniform() * 86_400)
                wall = WALLS[int(uniform() * 4)] if uniform() > 0.02 else ""
                lines.append(
                    f"Q01-{number:06},2026-01-{1 + int(uniform() * 28):02}T"
                    f"{second // 3600:02}:{second // 60 % 60:02}:{second % 60:02}Z,"
                    f"{REGIONS[int(uniform() * 5)]},{wall},{1880 + int(uniform() * 145)},{area:.1f},"
                    f"{1 + int(area / 46)},{value:.0f},{int(uniform() ** 3 * 4)},"
                    f"{'true' if uniform() < 0.4 else 'false'},{0.0012 * value * (0.7 + uniform()):.2f}\n"
                )
            written += file.write("".join(lines))
    return number


def contracts(folder):
    """The example's contract for keys of more digits, and the same without a key."""
    text = EXAMPLE.read_text()
    longer = text.replace("[0-9]{6}$", "[0-9]{6,9}$")
    without = re.sub(r" +primaryKey.*\n", "", longer)
    if longer == text or without == longer:
        sys.exit(f"{EXAMPLE}: the key's pattern or primaryKey is not where it was")
    with_key, keyless = folder / "with-key.yaml", folder / "without-key.yaml"
    with_key.write_text(longer)
    keyless.write_text(without)
    return with_key, keyless


def measured(command):
    """Runs a command; answers wall seconds, CPU seconds, peak MiB, and why it failed, if it did."""
    began = time.monotonic()
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    said = process.stderr.read()
    # The system tells what a child used when it has ended.
    _, status, used = os.wait4(process.pid, 0)
    wall = time.monotonic() - began
    process.returncode = os.waitstatus_to_exitcode(status)
    unit = 1 if platform.system() == "Darwin" else 1024
    figures = (wall, used.ru_utime + used.ru_stime, used.ru_maxrss * unit / 2**20)
    failure = None
    if process.returncode:
        lines = said.strip().splitlines()
        failure = lines[-1] if lines else f"exit code {process.returncode}"
    return figures, failure


def millrace(given):
    """The command to measure: built with --release where none is given."""
    if given:
        return Path(given)
    subprocess.run(["cargo", "build", "--quiet", "--release", "--package", "cli"], cwd=ROOT, check=True)
    target = Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target"))
    return target / "release/millrace"


def installed(wanted, python):
    """The peers that can be imported, with their versions; the others are named."""
    if python is None:
        if not (VENV / "bin/python").exists():
            venv.create(VENV, with_pip=True)
        python = VENV / "bin/python"
    pip = [str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    ask = "import importlib.metadata as m, sys; print(m.version(sys.argv[1]))"
    versions = {}
    for peer in wanted:
        version = lambda: subprocess.run([python, "-c", ask, peer], capture_output=True, text=True)
        found = version()
        if found.returncode:
            subprocess.run(pip + PEERS[peer], capture_output=True)
            found = version()
        if found.returncode:
            print(f"{peer}: could not be installed; left out")
        else:
            versions[peer] = found.stdout.strip()
    return python, versions


def table(title, contenders):
    """Measures each contender and prints its line; the first one is what the others are told in."""
    print(f"\n{title}")
    print(f"  {'':44}{'wall s':>9}{'ratio':>7}{'CPU s':>9}{'ratio':>7}{'peak MiB':>10}{'ratio':>7}", flush=True)
    base = None
    for name, command in contenders:
        figures, failure = measured(command)
        base = base or figures
        cells = "".join(
            f"{figure:>{width}.{digits}f}{figure / reference:>7.1f}"
            for figure, reference, width, digits in zip(figures, base, (9, 9, 10), (2, 2, 0))
        )
        print(f"  {name:44}{cells}" + (f"  failed: {failure[:100]}" if failure else ""), flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--mb", type=int, default=200, help="size of the file in MB (default 200)")
    parser.add_argument("--into", type=Path, default=ROOT / "target/bench", help="where files go")
    parser.add_argument("--millrace", help="a built command; default: cargo build --release")
    parser.add_argument("--peers", default=",".join(PEERS), help="which, by comma")
    parser.add_argument("--no-peers", action="store_true", help="Millrace alone")
    parser.add_argument("--python", help="an interpreter that has the peers; default: .venv-bench")
    arguments = parser.parse_args()

    command = millrace(arguments.millrace)
    wanted = [] if arguments.no_peers else [peer for peer in arguments.peers.split(",") if peer]
    unknown = [peer for peer in wanted if peer not in PEERS]
    if unknown:
        sys.exit(f"no such peer: {', '.join(unknown)}; there are {', '.join(PEERS)}")
    python, versions = installed(wanted, arguments.python) if wanted else (None, {})

    arguments.into.mkdir(parents=True, exist_ok=True)
    file = arguments.into / f"quotes-{arguments.mb}.csv"
    if not file.exists():
        print(f"generating {file}", flush=True)
        beside = file.with_suffix(".part")
        generate(beside, arguments.mb)
        beside.rename(file)
    with_key, keyless = contracts(arguments.into)
    print(f"{file}: {file.stat().st_size / 1e6:.0f} MB; {platform.platform()}, {os.cpu_count()} cores")
    # Every contender reads from the page cache, the first one too.
    with open(file, "rb") as warm:
        while warm.read(1 << 20):
            pass

    def contenders(ours, peers):
        yield from ((name, [command, *words]) for name, words in ours)
        for name, (peer, program) in peers.items():
            if peer in versions:
                yield f"{name} ({versions[peer]})", [python, "-c", program, file]

    table("profile", contenders([("millrace profile", ["profile", file])], PROFILES))
    checks = [
        ("millrace validate", ["validate", file, "--contract", with_key]),
        ("millrace validate, no unique key", ["validate", file, "--contract", keyless]),
    ]
    table("validate", contenders(checks, CHECKS))


if __name__ == "__main__":
    main()
