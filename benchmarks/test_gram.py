"""Gram matrices of the limiting kernel with a proved error, beside their peers.

Setting: tanh, W standard normal, C uniform on [-1, 1], x uniform on [-1, 1], v on [-1/2, 1/2]; for
Mehler's series 20 dimensions too.  Every figure is a time for one entry of the matrix.  In each
round ours and the peers run one right after the other, and the ratio recorded is the median of
the rounds' ratios; slow peers take a part of the matrix.  *Bare* is the one product of matrices of
doubles that cannot be avoided, of the same shape and with no error bound.  Only the balls certify.
"""

from __future__ import annotations

import importlib
import math
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from fractions import Fraction
from statistics import median

import mpmath
import numpy as np
import pytest
import scipy.integrate
from flint import arb, arb_mat, ctx

from verification import gallery
from verification.enclosure.balls import precision
from verification.instance import ActivationSpec, Instance, Normal
from verification.kernel.features import gram_doubles, kernel_features, kernel_product
from verification.kernel.limiting import Point, kernel
from verification.kernel.mehler import mehler_gram
from verification.recurrent.law import moment_of_c

ROUNDS = 3
TWENTY = 20


def standard(dimension: int = 1, activation: str = "tanh") -> Instance:
    onegin = gallery.load("markov-onegin")
    zero = (Fraction(0),) * dimension
    return replace(
        onegin,
        activation=ActivationSpec.named(activation),
        chain=replace(onegin.chain, inputs=(zero,) * onegin.chain.n_states),
        law=replace(onegin.law, w=Normal(mean=zero, std=Fraction(1))),
    )


INSTANCE = standard()
MEAN_SQUARE = float(moment_of_c(INSTANCE.law, 2))


def points(count: int, dimension: int = 1) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(2308)
    inputs = rng.uniform(-1, 1, (count, dimension)) / math.sqrt(dimension)
    return inputs, rng.uniform(-0.5, 0.5, count)


# The peers: inputs and memories to the matrix.


def entry_by_entry(entry: Callable[..., float]) -> Callable[..., np.ndarray]:
    """Of the entries on and above the diagonal, for the matrix is symmetric."""

    def matrix(x: np.ndarray, v: np.ndarray) -> np.ndarray:
        rows = [tuple(row) for row in x.tolist()]
        result = np.empty((len(v), len(v)))
        for i in range(len(v)):
            for j in range(i, len(v)):
                result[i, j] = result[j, i] = entry(rows[i], v[i].item(), rows[j], v[j].item())
        return result

    return matrix


def by_scipy(x: tuple[float], v: float, y: tuple[float], w: float) -> float:
    def integrand(z: float) -> float:
        a, b = math.tanh(x[0] * z + v), math.tanh(y[0] * z + w)
        slopes = (1 - a * a) * (1 - b * b) * x[0] * y[0]
        return (a * b + MEAN_SQUARE * slopes) * math.exp(-z * z / 2)

    value = scipy.integrate.quad(integrand, -np.inf, np.inf, epsabs=1e-13, epsrel=1e-13)[0]
    return value / math.sqrt(2 * math.pi)


def by_mpmath(x: tuple[float], v: float, y: tuple[float], w: float) -> float:
    def integrand(z: mpmath.mpf) -> mpmath.mpf:
        a, b = mpmath.tanh(x[0] * z + v), mpmath.tanh(y[0] * z + w)
        slopes = (1 - a * a) * (1 - b * b) * (x[0] * y[0])
        return (a * b + MEAN_SQUARE * slopes) * mpmath.npdf(z)

    return float(mpmath.quad(integrand, [-mpmath.inf, 0, mpmath.inf]))


def balls_of(instance: Instance) -> Callable[..., float]:
    def entry(x: tuple[float, ...], v: float, y: tuple[float, ...], w: float) -> float:
        one = Point(input=tuple(map(Fraction, x)), memory=Fraction(v))
        other = Point(input=tuple(map(Fraction, y)), memory=Fraction(w))
        with precision(53):
            return float(kernel(instance.activation, instance.law, one, other).mid())

    return entry


def by_quad_vec(x: np.ndarray, v: np.ndarray) -> np.ndarray:
    """All entries at every node of one adaptive rule."""

    def integrand(z: float) -> np.ndarray:
        a = np.tanh(x[:, 0] * z + v)
        slope = (1 - a * a) * x[:, 0]
        density = math.exp(-z * z / 2) / math.sqrt(2 * math.pi)
        return (np.multiply.outer(a, a) + MEAN_SQUARE * np.multiply.outer(slope, slope)) * density

    # Beyond |z| = 9 lies less than 2e-19 of the mass.
    return scipy.integrate.quad_vec(integrand, -9, 9, epsabs=1e-12, norm="max")[0]


def by_arb_mat(x: np.ndarray, v: np.ndarray) -> np.ndarray:
    """The product of balls, 53 bits, of the same features; making the balls is not counted."""
    features = ARB_FEATURES[len(v)]
    with ctx.workprec(53):
        product = features[0] * features[1]
    # Reading the result out is not counted either: a part is, for the check.
    return np.array([[float(product[i, j].mid()) for j in range(5)] for i in range(5)])


ARB_FEATURES: dict[int, tuple[arb_mat, arb_mat]] = {}


def prepare_arb(x: np.ndarray, v: np.ndarray) -> None:
    values = kernel_features(INSTANCE, x, v).values
    matrix = arb_mat(*values.shape, [arb(entry) for entry in values.ravel().tolist()])
    ARB_FEATURES[len(v)] = matrix, matrix.transpose()


def tangents(numerical: bool) -> Callable[..., np.ndarray]:
    """The kernel of one hidden layer without memory, and not both of its parts: a time only.

    Release 0.6.5 imports with jax 0.4.35 and tf2jax 0.3.6, and not with jax 0.10.
    """

    def matrix(x: np.ndarray, _v: np.ndarray) -> np.ndarray:
        jax, stax = (importlib.import_module(f) for f in ("jax", "neural_tangents.stax"))
        jax.config.update("jax_enable_x64", True)
        name = "numerical" if numerical else "closed form"
        if name not in COMPILED:
            layer = stax.ElementwiseNumerical(jax.numpy.tanh, deg=25) if numerical else stax.Erf()
            _, _, of = stax.serial(stax.Dense(1, W_std=1.0, b_std=0.0), layer)
            COMPILED[name] = jax.jit(lambda a: of(a, None, "nngp"))
        return np.asarray(COMPILED[name](x).block_until_ready())

    return matrix


COMPILED: dict[str, Callable[..., object]] = {}


@dataclass(frozen=True, kw_only=True)
class Peer:
    """A peer, the points of its matrix, what it needs, and how far it may be off, None: unlike."""

    matrix: Callable[..., np.ndarray]
    points: int
    library: str
    tolerance: float | None


PEERS = {
    "neural-tangents, erf in closed form, jitted": Peer(
        matrix=tangents(False), points=2_000, library="neural_tangents", tolerance=None
    ),
    "arb_mat, the same features": Peer(
        matrix=by_arb_mat, points=150, library="flint", tolerance=1e-12
    ),
    "quad_vec on the whole matrix": Peer(
        matrix=by_quad_vec, points=150, library="scipy", tolerance=1e-11
    ),
    "neural-tangents, numerical tanh of degree 25": Peer(
        matrix=tangents(True), points=300, library="neural_tangents", tolerance=None
    ),
    "scipy.integrate.quad": Peer(
        matrix=entry_by_entry(by_scipy), points=7, library="scipy", tolerance=1e-12
    ),
    "this project's balls, 53 bits": Peer(
        matrix=entry_by_entry(balls_of(INSTANCE)), points=5, library="flint", tolerance=1e-13
    ),
    "mpmath.quad": Peer(
        matrix=entry_by_entry(by_mpmath), points=2, library="mpmath", tolerance=1e-13
    ),
}


def has(library: str) -> bool:
    """Tell whether a library is there, and fits the others that are."""
    try:
        importlib.import_module(library)
    except (ImportError, AttributeError):
        return False
    return True


def seconds(function: Callable[..., object], *arguments: object) -> float:
    start = time.perf_counter()
    function(*arguments)
    return time.perf_counter() - start


def entries(peer: Peer) -> int:
    """How many entries it computes: of symmetric ones only one."""
    each = peer.points < 100
    return peer.points * (peer.points + 1) // 2 if each else peer.points**2


@pytest.mark.benchmark(group="Gram matrix, features and the bare product")
@pytest.mark.parametrize("count", [2_000, 10_000])
def test_ratio_to_the_bare_product(benchmark, capsys, count):
    inputs, memory = points(count)
    features = kernel_features(INSTANCE, inputs, memory).values
    rounds: list[tuple[float, float]] = []

    def bare() -> np.ndarray:
        return features @ features.T

    def measure() -> None:
        ours = seconds(gram_doubles, INSTANCE, inputs, memory)
        rounds.append((ours, seconds(bare)))

    benchmark.pedantic(measure, rounds=ROUNDS, warmup_rounds=1)
    ratio = median(ours / peer for ours, peer in rounds)
    benchmark.extra_info["ours / bare product"] = ratio
    ours, peer = (median(pair[k] for pair in rounds) for k in (0, 1))
    with capsys.disabled():
        print(
            f"\n  n = {count:,}, {features.shape[1]} features: ours {1e9 * ours / count**2:.2f} ns "
            f"an entry, bare {1e9 * peer / count**2:.2f} ns, ratio {ratio:.3f}"
        )


# neural-tangents warns that its numerical kernel is not exact.
@pytest.mark.filterwarnings("default::UserWarning")
@pytest.mark.benchmark(group="Gram matrix, one entry beside its peers")
def test_ratio_to_peers(benchmark, capsys):
    count = 2_000
    inputs, memory = points(count)
    here = {name: peer for name, peer in PEERS.items() if has(peer.library)}
    few = PEERS["arb_mat, the same features"].points
    prepare_arb(inputs[:few], memory[:few])
    rounds: list[dict[str, float]] = []

    def measure() -> None:
        taken = {"ours": seconds(gram_doubles, INSTANCE, inputs, memory) / count**2}
        for name, peer in here.items():
            part = seconds(peer.matrix, inputs[: peer.points], memory[: peer.points])
            taken[name] = part / entries(peer)
        rounds.append(taken)

    benchmark.pedantic(measure, rounds=ROUNDS, warmup_rounds=1)
    matrix, error = gram_doubles(INSTANCE, inputs, memory)
    one = median(taken["ours"] for taken in rounds)
    benchmark.extra_info["proved error"] = error
    lines = [f"ours: {1e9 * one:.2f} ns an entry, proved error {error:.2g}"]
    for name, peer in PEERS.items():
        if name not in here:
            benchmark.extra_info[f"{name} / ours"] = "missing"
            lines.append(f"{name}: {peer.library} is missing")
            continue
        if peer.tolerance is not None:
            theirs = peer.matrix(inputs[: peer.points], memory[: peer.points])
            gap = np.abs(theirs - matrix[: len(theirs), : len(theirs)]).max()
            assert gap <= error + peer.tolerance, name
        ratio = median(taken[name] / taken["ours"] for taken in rounds)
        benchmark.extra_info[f"{name} / ours"] = ratio
        one = median(taken[name] for taken in rounds)
        lines.append(f"{name}: {1e9 * one:,.1f} ns an entry, {ratio:,.1f} times ours")
    with capsys.disabled():
        print("", *lines, sep="\n  ")


@pytest.mark.benchmark(group="Gram matrix, Mehler's series")
@pytest.mark.parametrize("dimension", [1, TWENTY])
def test_ratio_of_mehlers_series_to_balls(benchmark, capsys, dimension):
    count, few = 2_000, 3
    instance = standard(dimension)
    inputs, memory = points(count, dimension)
    peer = entry_by_entry(balls_of(instance))
    rounds: list[tuple[float, float]] = []

    def measure() -> None:
        ours = seconds(mehler_gram, instance, inputs, memory) / count**2
        theirs = seconds(peer, inputs[:few], memory[:few]) / (few * (few + 1) // 2)
        rounds.append((ours, theirs))

    benchmark.pedantic(measure, rounds=ROUNDS, warmup_rounds=1)
    matrix, error = mehler_gram(instance, inputs, memory)
    gap = np.abs(peer(inputs[:few], memory[:few]) - matrix[:few, :few]).max()
    # The balls' midpoints, at 53 bits, of sums of thousands of terms.
    assert gap <= error + 1e-12
    ratio = median(theirs / ours for ours, theirs in rounds)
    benchmark.extra_info["balls / ours"] = ratio
    benchmark.extra_info["proved error"] = error
    ours, theirs = (median(pair[k] for pair in rounds) for k in (0, 1))
    with capsys.disabled():
        print(
            f"\n  d = {dimension}: {1e9 * ours:.1f} ns an entry, proved error {error:.2g}; "
            f"balls {1e3 * theirs:,.1f} ms, {ratio:,.0f} times ours"
        )


@pytest.mark.benchmark(group="Gram matrix, a product with a vector")
def test_ratio_of_the_factored_product_to_the_bare_one(benchmark, capsys):
    count = 100_000
    features = kernel_features(INSTANCE, *points(count))
    vector = np.random.default_rng(7).normal(size=count)
    rounds: list[tuple[float, float]] = []

    def bare() -> np.ndarray:
        return features.values @ (features.values.T @ vector)

    def measure() -> None:
        rounds.append((seconds(kernel_product, features, vector), seconds(bare)))

    benchmark.pedantic(measure, rounds=ROUNDS, warmup_rounds=1)
    values, error = kernel_product(features, vector)
    assert np.abs(values - bare()).max() <= 2 * error
    ratio = median(ours / peer for ours, peer in rounds)
    benchmark.extra_info["ours / bare product"] = ratio
    with capsys.disabled():
        print(f"\n  n = {count:,}: {ratio:.2f} times the bare product, proved error {error:.2g}")
