"""What Optuna finds with the same number of trials, kept as a fixture for the tests of shared/tuning.

    python3 -m venv /tmp/optuna && /tmp/optuna/bin/pip install optuna==5.0.0 scipy==1.17.1
    /tmp/optuna/bin/python tests/benches/tuning.py

Writes shared/tuning/tests/fixtures/optuna.json: the median of the best values of 80 trials over
many seeds on three functions, of Optuna's default sampler and of its random one; densities of its
Parzen estimator at a few points; masses of the normal distribution from scipy.
"""

import json
import math
import multiprocessing
import pathlib
import statistics
import sys
import warnings

import numpy
import optuna
import scipy.stats
from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution
from optuna.samplers._tpe.parzen_estimator import _ParzenEstimator, _ParzenEstimatorParameters
from optuna.samplers._tpe.sampler import default_weights

FIXTURE = pathlib.Path(__file__).parents[2] / "shared/tuning/tests/fixtures/optuna.json"
SEEDS = int(sys.argv[1]) if len(sys.argv) > 1 else 60
TRIALS = 80

ALPHA = [1.0, 1.2, 3.0, 3.2]
A = [[10, 3, 17, 3.5, 1.7, 8], [0.05, 10, 17, 0.1, 8, 14], [3, 3.5, 1.7, 10, 17, 8], [17, 8, 0.05, 10, 0.1, 14]]
P = [
    [1312, 1696, 5569, 124, 8283, 5886],
    [2329, 4135, 8307, 3736, 1004, 9991],
    [2348, 1451, 3522, 2883, 3047, 6650],
    [4047, 8828, 8732, 5743, 1091, 381],
]


def branin(x):
    """Least 0.397887, at three places."""
    b, c, t = 5.1 / (4 * math.pi**2), 5 / math.pi, 1 / (8 * math.pi)
    return (x[1] - b * x[0] ** 2 + c * x[0] - 6) ** 2 + 10 * (1 - t) * math.cos(x[0]) + 10


def sphere(x):
    """Least 0, at 0.3 everywhere."""
    return sum((value - 0.3) ** 2 for value in x)


def hartmann(x):
    """Least -3.32237."""
    inner = [sum(a * (value - p * 1e-4) ** 2 for a, p, value in zip(A[i], P[i], x)) for i in range(4)]
    return -sum(alpha * math.exp(-value) for alpha, value in zip(ALPHA, inner))


FUNCTIONS = {
    "branin": (branin, [(-5.0, 10.0), (0.0, 15.0)]),
    "sphere": (sphere, [(0.0, 1.0)] * 6),
    "hartmann": (hartmann, [(0.0, 1.0)] * 6),
}


def best(task):
    name, sampler, seed = task
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    function, ranges = FUNCTIONS[name]
    chosen = {"tpe": optuna.samplers.TPESampler, "random": optuna.samplers.RandomSampler}[sampler]
    study = optuna.create_study(sampler=chosen(seed=seed))
    study.optimize(
        lambda trial: function([trial.suggest_float(f"x{i}", low, high) for i, (low, high) in enumerate(ranges)]),
        n_trials=TRIALS,
    )
    return study.best_value


def measured(pool):
    found = {}
    for name in FUNCTIONS:
        for sampler in ("tpe", "random"):
            values = pool.map(best, [(name, sampler, seed) for seed in range(SEEDS)], chunksize=4)
            # How far a median of so many values may be off, by resampling.
            random = numpy.random.default_rng(1)
            medians = numpy.median(random.choice(values, (2000, len(values))), axis=1)
            found.setdefault(name, {})[sampler] = {
                "median": statistics.median(values),
                "standard_error": float(numpy.std(medians)),
            }
            print(name, sampler, found[name][sampler], flush=True)
    return found


def densities():
    space = {
        "a": FloatDistribution(-5.0, 10.0),
        "b": FloatDistribution(0.001, 1.0, log=True),
        "c": IntDistribution(1, 9),
        "d": IntDistribution(1, 500, log=True),
        "e": CategoricalDistribution(["a", "b", "c"]),
    }
    parameters = _ParzenEstimatorParameters(1.0, True, False, default_weights, True)
    random = numpy.random.default_rng(5)

    def drawn(count):
        return {
            "a": random.uniform(-5, 10, count),
            "b": numpy.exp(random.uniform(math.log(0.001), 0.0, count)),
            "c": random.integers(1, 10, count).astype(float),
            "d": numpy.round(numpy.exp(random.uniform(0.0, math.log(500), count))),
            "e": random.integers(0, 3, count).astype(float),
        }

    cases = []
    for count in (0, 1, 2, 7, 40, 150):
        observed, asked = drawn(count), drawn(6)
        estimator = _ParzenEstimator(observed, space, parameters)
        rows = lambda columns: numpy.array(list(columns.values())).T.tolist()
        cases.append({"trials": rows(observed), "at": rows(asked), "log": estimator.log_pdf(asked).tolist()})
    return cases


def masses():
    ends = [(-1, 1), (0, 0.1), (-0.3, 4), (2, 3), (-8, -7.5), (5, 40), (10, 10.5), (-0.001, 0.001), (1.9, 2.9), (20, 21)]
    norm = scipy.stats.norm
    mass = lambda a, b: norm.sf(a) - norm.sf(b) if a >= 0 else norm.cdf(b) - norm.cdf(a)
    return [[float(a), float(b), float(mass(a, b))] for a, b in ends]


if __name__ == "__main__":
    warnings.simplefilter("ignore")
    with multiprocessing.Pool(2) as pool:
        functions = measured(pool)
    fixture = {
        "made_with": f"optuna {optuna.__version__}, scipy {scipy.__version__}",
        "seeds": SEEDS,
        "trials": TRIALS,
        "functions": functions,
        "densities": densities(),
        "masses": masses(),
    }
    FIXTURE.parent.mkdir(parents=True, exist_ok=True)
    FIXTURE.write_text(json.dumps(fixture, indent=1) + "\n")
