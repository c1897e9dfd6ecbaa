"""Training of finite networks, nanoseconds for one unit and step, beside its peers.

Setting: W standard normal, C uniform on [-1, 1], B on [0.2, 0.8], the chain of Markov's count with
inputs of one or four entries.  Everybody trains the same networks on the same paths in double
precision and keeps their state between calls; slow peers take fewer steps.  In each round ours and
the peers run one right after the other, and the ratio recorded is the median of the rounds' ratios.
One replica is trained in one thread; of 32, ours, C and numba train as many at once as there are
processors, and the others hold all in one array.
"""

from __future__ import annotations

import ctypes
import importlib
import importlib.util
import math
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path
from statistics import median

import numpy as np
import pytest

from verification import gallery
from verification.instance import ActivationSpec, Instance, Normal
from verification.recurrent.network import (
    Setting,
    Trainer,
    Units,
    draw_path,
    draw_units,
    replica_generators,
    run_together,
    setting,
    tables,
)

ROUNDS = 5
UPDATES = 2**22
"""Of units, in one call of the fast ones."""

CORES = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


@dataclass(frozen=True, kw_only=True)
class Problem:
    """Networks, and paths that are long enough for everybody."""

    instance: Instance
    setting: Setting
    units: list[Units]
    paths: np.ndarray

    @property
    def shape(self) -> tuple[int, int, int]:
        """Replicas, dimension, width."""
        return len(self.units), *self.units[0].input.shape

    @property
    def logistic(self) -> bool:
        return self.setting.activation.label == "logistic"

    @property
    def workers(self) -> int:
        return 1 if len(self.units) == 1 else CORES

    def stacked(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """C, W, B of all replicas; shapes (n, N), (n, d, N), (n, N)."""
        return (
            np.array([units.output for units in self.units]),
            np.array([units.input for units in self.units]),
            np.array([units.feedback for units in self.units]),
        )


def problem(activation: str, dimension: int, width: int, replicas: int) -> Problem:
    onegin = gallery.load("markov-onegin")
    inputs = tuple(
        tuple(Fraction((-1) ** (i + k), k + 1) for k in range(dimension)) for i in range(2)
    )
    instance = replace(
        onegin,
        activation=ActivationSpec.named(activation),
        chain=replace(onegin.chain, inputs=inputs),
        law=replace(onegin.law, w=Normal(mean=(Fraction(0),) * dimension, std=Fraction(1))),
    )
    steps = max(16, UPDATES // (width * replicas))
    units, paths = [], []
    for replica in range(replicas):
        for_units, for_path = replica_generators(0, replica, width)
        units.append(draw_units(instance.law, width, for_units))
        paths.append(draw_path(instance.chain, steps, for_path))
    return Problem(
        instance=instance,
        setting=setting(instance, width),
        units=units,
        paths=np.array(paths),
    )


# Each of these returns a function of a number of steps that trains all replicas, and returns C of
# the first one.


def ours(given: Problem) -> Callable[[int], np.ndarray]:
    replicas, dimension, width = given.shape
    size = max(1, min(512 // width, replicas // given.workers))
    groups = []
    for first in range(0, replicas, size):
        room = tables(size, dimension, width)
        trainers = [
            Trainer(given.setting, units, compiled=True, table=table)
            for units, table in zip(given.units[first : first + size], room, strict=True)
        ]
        groups.append((trainers, room, given.paths[first : first + size]))
    return in_threads(
        given,
        lambda group, steps: run_together(group[0], group[1], group[2][:, :steps]),
        groups,
        lambda: groups[0][0][0].units.output,
    )


def in_threads(given, train, groups, first) -> Callable[[int], np.ndarray]:
    pool = ThreadPoolExecutor(given.workers)

    def run(steps: int) -> np.ndarray:
        if given.workers == 1:
            for group in groups:
                train(group, steps)
        else:
            list(pool.map(lambda group: train(group, steps), groups))
        return first()

    return run


def numpy_with_out(given: Problem) -> Callable[[int], np.ndarray]:
    """Ours where numba is missing: one network after the other, nothing allocated in a step."""
    trainers = [Trainer(given.setting, units) for units in given.units]

    def run(steps: int) -> np.ndarray:
        for trainer, path in zip(trainers, given.paths, strict=True):
            trainer.run(path[:steps])
        return trainers[0].units.output

    return run


def clipped(output, bound: float, minimum):
    """psi for arrays of any library; `minimum` is of that library, of an array and a number."""
    size = abs(output)
    t = minimum((size - bound) / (2 * bound), 1.0)
    value = bound + 2 * bound * (t - t**3 + t**4 / 2)
    return (size <= bound) * output + (size > bound) * ((output > 0) * 2.0 - 1) * value


def activation(given: Problem, tanh):
    """The activation and its derivative, of the value, in any library."""
    if given.logistic:
        return lambda u: 0.5 * tanh(0.5 * u) + 0.5, lambda s: s * (1 - s)
    return tanh, lambda s: 1 - s * s


def numpy_as_one_writes_it(given: Problem) -> Callable[[int], np.ndarray]:
    rates, width = given.setting.rates, given.shape[2]
    sigma, slope = activation(given, np.tanh)
    c, w, b = given.stacked()
    state = {"c": c, "w": w, "b": b, "s": np.zeros_like(c), "v": np.zeros((len(c), 1))}

    def run(steps: int) -> np.ndarray:
        c, w, b, s, v = state.values()
        for k in range(steps):
            x = given.setting.inputs[given.paths[:, k]][:, :, np.newaxis]
            y = given.setting.targets[given.paths[:, k]][:, np.newaxis]
            new = sigma((w * x).sum(axis=1) + v)
            through = c * slope(new)
            output = rates.output_scale * (c * new).sum(axis=1, keepdims=True)
            e = clipped(output, rates.clip, np.minimum) - y
            total = through.sum(axis=1, keepdims=True)
            w = w - (rates.weight_rate * e * through)[:, np.newaxis] * x
            c = c - rates.weight_rate * e * new
            b = b - rates.feedback_rate * e * total * s
            v = (b * new).sum(axis=1, keepdims=True) / width
            s = new
        state.update(c=c, w=w, b=b, s=s, v=v)
        return c[0]

    return run


def jax_jit_and_scan(given: Problem) -> Callable[[int], np.ndarray]:
    jax = importlib.import_module("jax")
    jax.config.update("jax_enable_x64", True)
    jnp = jax.numpy
    rates, width = given.setting.rates, given.shape[2]
    sigma, slope = activation(given, jnp.tanh)
    inputs, targets = jnp.array(given.setting.inputs), jnp.array(given.setting.targets)

    def step(carry, state):
        c, w, b, s, v = carry
        x, y = inputs[state], targets[state]
        new = sigma(x @ w + v)
        through = c * slope(new)
        e = clipped(rates.output_scale * (c @ new), rates.clip, jnp.minimum) - y
        w = w - rates.weight_rate * e * x[:, None] * through
        b = b - rates.feedback_rate * e * through.sum() * s
        c = c - rates.weight_rate * e * new
        return (c, w, b, new, (b @ new) / width), None

    def one(carry, path):
        return jax.lax.scan(step, carry, path)[0]

    compiled = jax.jit(jax.vmap(one) if len(given.units) > 1 else one)
    c, w, b = given.stacked()
    carry = [jnp.array(a) for a in (c, w, b, np.zeros_like(c), np.zeros(len(c)))]
    paths = given.paths
    if len(given.units) == 1:
        carry, paths = [a[0] for a in carry], paths[0]
    state = {"carry": tuple(carry)}

    def run(steps: int) -> np.ndarray:
        state["carry"] = jax.block_until_ready(compiled(state["carry"], paths[..., :steps]))
        return np.asarray(state["carry"][0]).reshape(-1, width)[0]

    return run


def with_torch(given: Problem, *, autograd: bool) -> Callable[[int], np.ndarray]:
    torch = importlib.import_module("torch")
    torch.set_num_threads(given.workers)
    rates, (_, _, width) = given.setting.rates, given.shape
    sigma, slope = activation(given, torch.tanh)
    inputs, targets = torch.tensor(given.setting.inputs), torch.tensor(given.setting.targets)
    paths = torch.tensor(given.paths)
    c, w, b = (torch.tensor(a, requires_grad=autograd) for a in given.stacked())
    state = {"s": torch.zeros_like(c, requires_grad=False)}
    rate = rates.weight_rate / rates.output_scale

    def error(output, y):
        return clipped(output, rates.clip, lambda a, m: a.clamp(max=m)) - y

    def run_autograd(steps: int) -> np.ndarray:
        s = state["s"]
        for k in range(steps):
            x, y = inputs[paths[:, k]][:, :, None], targets[paths[:, k]][:, None]
            new = sigma((w * x).sum(1) + (b * s).sum(1, keepdim=True) / width)
            output = rates.output_scale * (c * new).sum(1, keepdim=True)
            output.backward(rate * error(output.detach(), y))
            with torch.no_grad():
                for parameter in (c, w, b):
                    parameter.sub_(parameter.grad)
                    parameter.grad = None
            s = new.detach()
        state["s"] = s
        return c[0].detach().numpy()

    def run(steps: int) -> np.ndarray:
        s = state["s"]
        with torch.inference_mode():
            for k in range(steps):
                x, y = inputs[paths[:, k]][:, :, None], targets[paths[:, k]][:, None]
                new = sigma((w * x).sum(1) + (b * s).sum(1, keepdim=True) / width)
                through = c * slope(new)
                output = rates.output_scale * (c * new).sum(1, keepdim=True)
                e = rates.weight_rate * error(output, y)
                b.sub_(s * (e / width * through.sum(1, keepdim=True)))
                w.sub_((e * through)[:, None] * x)
                c.sub_(e * new)
                s = new
        state["s"] = s
        return c[0].numpy()

    return run_autograd if autograd else run


def numba_with_math_tanh(given: Problem) -> Callable[[int], np.ndarray]:
    """Loops as one writes them, fast mathematics allowed; in double passes, like C."""
    numba = importlib.import_module("numba")
    key = "numba", given.logistic
    if key not in COMPILED:
        half = 0.5 if given.logistic else 1.0

        def train(path, inputs, targets, c, w, b, s, rates, v):
            scale, weight_rate, feedback_rate, clip = rates
            n, value, through = c.size, np.empty_like(c), np.empty_like(c)
            for state in path:
                x = inputs[state]
                output, bend, fed = 0.0, 0.0, 0.0
                for i in range(n):
                    u = v
                    for k in range(x.size):
                        u += w[k, i] * x[k]
                    t = math.tanh(half * u)
                    value[i] = t if half == 1.0 else 0.5 + 0.5 * t
                    through[i] = c[i] * half * half * (1 - t * t)
                    output += c[i] * value[i]
                    bend += through[i]
                output *= scale
                size = abs(output)
                if size > clip:
                    t = min((size - clip) / (2 * clip), 1.0)
                    output = math.copysign(clip + 2 * clip * (t - t**3 + t**4 / 2), output)
                e = output - targets[state]
                for i in range(n):
                    for k in range(x.size):
                        w[k, i] -= weight_rate * e * x[k] * through[i]
                    c[i] -= weight_rate * e * value[i]
                    b[i] -= feedback_rate * e * bend * s[i]
                    fed += b[i] * value[i]
                    s[i] = value[i]
                v = fed / n
            return v

        COMPILED[key] = numba.njit(fastmath=True, nogil=True)(train)
    compiled = COMPILED[key]
    rates = given.setting.rates
    numbers = rates.output_scale, rates.weight_rate, rates.feedback_rate, rates.clip
    groups = [
        {
            "path": path,
            "rows": (*(a.copy() for a in rows), np.zeros(given.shape[2])),
            "v": 0.0,
        }
        for path, *rows in zip(given.paths, *given.stacked(), strict=True)
    ]

    def train_group(group, steps):
        path = group["path"][:steps]
        shared = given.setting.inputs, given.setting.targets
        group["v"] = compiled(path, *shared, *group["rows"], numbers, group["v"])

    return in_threads(given, train_group, groups, lambda: groups[0]["rows"][0])


COMPILED: dict[tuple[object, ...], Callable[..., float]] = {}
COMPILER = next((name for name in ("clang", "gcc", "cc") if shutil.which(name)), None)
FLAGS = ["-std=gnu11", "-O3", "-march=native", "-fopenmp-simd", "-fno-math-errno"]
FLAGS += ["-fno-trapping-math", "-mprefer-vector-width=512", "-ffp-contract=fast"]


@pytest.fixture(scope="module")
def library(tmp_path_factory):
    """Compile the C kernel for a dimension and an activation."""
    folder = tmp_path_factory.mktemp("c")
    source = Path(__file__).with_name("training.c")

    def compile_it(dimension: int, logistic: bool) -> ctypes.CDLL:
        target = folder / f"train-{dimension}-{logistic:d}.so"
        if not target.exists():
            names = [f"-DD={dimension}", f"-DLOGISTIC={logistic:d}"]
            command = [COMPILER, *FLAGS, *names, "-shared", "-fPIC", str(source), "-o", str(target)]
            subprocess.run([*command, "-lm"], check=True)
        return ctypes.CDLL(str(target))

    return compile_it


def in_c(given: Problem, library) -> Callable[[int], np.ndarray]:
    _, dimension, width = given.shape
    train = library(dimension, given.logistic).train
    train.restype = ctypes.c_double
    rates = given.setting.rates
    numbers = [
        ctypes.c_double(number)
        for number in (rates.output_scale, rates.weight_rate, rates.feedback_rate, rates.clip)
    ]

    def pointer(array):
        return array.ctypes.data_as(ctypes.c_void_p)

    groups = []
    for units, path in zip(given.units, given.paths, strict=True):
        # C, W and B, S and two rows, aligned like ours.
        room = tables(1, dimension, width).reshape(-1)
        rows = [room[k * width : (k + 1) * width] for k in range(dimension + 5)]
        rows[0][:], rows[dimension + 1][:] = units.output, units.feedback
        room[width : (dimension + 1) * width] = units.input.ravel()
        places = [pointer(rows[k]) for k in (0, 1, *range(dimension + 1, dimension + 5))]
        groups.append(
            {"rows": rows, "places": places, "path": np.ascontiguousarray(path), "v": 0.0}
        )

    def train_group(group, steps):
        group["v"] = train(
            ctypes.c_long(width),
            ctypes.c_long(steps),
            pointer(group["path"]),
            pointer(given.setting.inputs),
            pointer(given.setting.targets),
            *group["places"],
            *numbers,
            ctypes.c_double(group["v"]),
        )

    return in_threads(given, train_group, groups, lambda: groups[0]["rows"][0])


# name: the peer, what it needs, and how many unit-updates it makes in a round.
PEERS = {
    "torch autograd": (lambda given: with_torch(given, autograd=True), "torch", 2**19),
    "torch without autograd": (lambda given: with_torch(given, autograd=False), "torch", 2**20),
    "numpy as one writes it": (numpy_as_one_writes_it, "numpy", 2**20),
    "numpy with out= everywhere": (numpy_with_out, "numpy", 2**20),
    "jax jit + scan": (jax_jit_and_scan, "jax", 2**21),
    "numba with math.tanh": (numba_with_math_tanh, "numba", 2**20),
}
GOALS = {
    "torch autograd": 10.0,
    "numpy with out= everywhere": 3.5,
    "jax jit + scan": 2.0,
    "C": 1 / 1.3,
}


def has(library: str) -> bool:
    return importlib.util.find_spec(library) is not None


def seconds(function: Callable[..., object], *arguments: object) -> float:
    start = time.perf_counter()
    function(*arguments)
    return time.perf_counter() - start


def report(capsys: pytest.CaptureFixture[str], lines: list[str]) -> None:
    with capsys.disabled():
        print("", *lines, sep="\n  ")


@pytest.mark.skipif(not has("numba"), reason="ours is compiled by numba")
@pytest.mark.benchmark(group="training, one unit and step")
@pytest.mark.parametrize("replicas", [1, 32])
@pytest.mark.parametrize("width", [256, 1024, 4096, 16384])
@pytest.mark.parametrize("dimension", [1, 4])
@pytest.mark.parametrize("activation", ["tanh", "logistic"])
def test_ratio_to_peers(benchmark, capsys, library, activation, dimension, width, replicas):
    given = problem(activation, dimension, width, replicas)
    most = given.paths.shape[1]
    makers = {
        name: (maker, updates) for name, (maker, needs, updates) in PEERS.items() if has(needs)
    }
    if COMPILER:
        makers["C"] = (lambda given: in_c(given, library), UPDATES)
    here = {"ours": (ours(given), most)}
    for name, (maker, updates) in makers.items():
        here[name] = maker(given), min(most, max(8, updates // (width * replicas)))
    # All are where ours is after the same steps, but for roundings.
    expected = here["ours"][0](8).copy()
    for name, (train, _) in here.items():
        if name != "ours":
            np.testing.assert_allclose(train(8), expected, rtol=1e-9, atol=1e-12, err_msg=name)
    rounds: list[dict[str, float]] = []

    def measure() -> None:
        taken = {}
        for name, (train, steps) in here.items():
            taken[name] = seconds(train, steps) / (steps * width * replicas)
        rounds.append(taken)

    benchmark.pedantic(measure, rounds=ROUNDS, warmup_rounds=1)
    load = os.getloadavg()[0] if hasattr(os, "getloadavg") else math.nan
    one = median(taken["ours"] for taken in rounds)
    benchmark.extra_info["load"] = load
    lines = [
        (
            f"{activation}, d = {dimension}, N = {width:,}, {replicas} replicas in {given.workers}"
            f" threads, load {load:.1f}: ours {1e9 * one:.3f} ns"
        )
    ]
    for name in (*PEERS, "C"):
        if name not in here:
            benchmark.extra_info[f"{name} / ours"] = "missing"
            lines.append(f"{name}: missing")
            continue
        ratio = median(taken[name] / taken["ours"] for taken in rounds)
        benchmark.extra_info[f"{name} / ours"] = ratio
        one = median(taken[name] for taken in rounds)
        goal = f", goal {GOALS[name]:.2f}" if name in GOALS else ""
        lines.append(f"{name}: {1e9 * one:.2f} ns, {ratio:.2f} times ours{goal}")
    report(capsys, lines)


OURS = """
from fractions import Fraction
from verification import gallery
from verification.recurrent.network_replicas import train_replicas
seen = train_replicas(gallery.load("markov-onegin"), width={width}, seed=0, replicas=range(4),
                      checkpoints=[{width}], workers={workers}, points=[(0, Fraction(1, 5))])
print([one.outputs[-1, 0] for one in seen])
"""
JAX = """
import jax, numpy as np
jax.config.update("jax_enable_x64", True)
jnp, n = jax.numpy, {width}
rng = np.random.default_rng(0)
inputs, targets = jnp.array([1.0, -1.0]), jnp.array([0.5, -0.25])
def step(carry, state):
    c, w, b, s, v = carry
    x, y = inputs[state], targets[state]
    new = jax.nn.sigmoid(w * x + v)
    through = c * new * (1 - new)
    e = n**-0.75 * (c @ new) - y
    w = w - 2 * n**-1.25 * e * x * through
    b = b - 2 * n**-2.25 * e * through.sum() * s
    return (c - 2 * n**-1.25 * e * new, w, b, new, b @ new / n), None
paths = np.zeros((4, n), dtype=int)
for row in paths:
    for k, u in enumerate(rng.random(n - 1)):
        row[k + 1] = u >= (0.128, 0.663)[row[k]]
first = (rng.uniform(-1, 1, (4, n)), rng.normal(0.6, 1, (4, n)), rng.uniform(0.2, 0.8, (4, n)),
         np.zeros((4, n)), np.zeros(4))
run = jax.jit(jax.vmap(lambda carry, path: jax.lax.scan(step, carry, path)[0]))
c, w, b, s, v = run(first, paths)
print(n**-0.75 * (c * jax.nn.sigmoid(w + 0.2)).sum(axis=1))
"""


@pytest.mark.skipif(not has("numba"), reason="ours is compiled by numba")
@pytest.mark.benchmark(group="training, the whole command")
@pytest.mark.parametrize("width", [4096, 16384])
def test_whole_command(benchmark, capsys, width):
    """Four networks up to t = 1, from the start of the interpreter to the print; warm cache."""
    rounds: list[dict[str, float]] = []
    programs = {"ours": OURS} | ({"jax": JAX} if has("jax") else {})
    programs = {
        name: text.replace("{width}", str(width)).replace("{workers}", str(CORES))
        for name, text in programs.items()
    }

    def measure() -> None:
        rounds.append(
            {
                name: seconds(
                    lambda text: subprocess.run(
                        [sys.executable, "-c", text], check=True, stdout=subprocess.DEVNULL
                    ),
                    text,
                )
                for name, text in programs.items()
            }
        )

    benchmark.pedantic(measure, rounds=ROUNDS, warmup_rounds=1)
    one = median(taken["ours"] for taken in rounds)
    lines = [f"whole command, N = {width:,}: ours {one:.2f} s"]
    if "jax" in programs:
        ratio = median(taken["ours"] / taken["jax"] for taken in rounds)
        benchmark.extra_info["ours / jax"] = ratio
        lines.append(
            f"jax {median(taken['jax'] for taken in rounds):.2f} s, ratio {ratio:.2f}, goal 0.4"
        )
    else:
        benchmark.extra_info["ours / jax"] = "missing"
        lines.append("jax is missing")
    report(capsys, lines)
