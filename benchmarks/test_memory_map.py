"""The memory map for 100,000 pairs in double precision with a proved error, beside its peers.

Setting: tanh, W standard normal, B uniform on [0.2, 0.8], x uniform on [-1, 1], v on
[-vbar, vbar].  The slow peers take a few of the pairs; every figure is a time for one pair.  In
each round ours and the peers run one right after the other, and the ratio recorded is the median
of the rounds' ratios.  Only `acb.integral` and our own balls certify their answers.
"""

from __future__ import annotations

import importlib.util
import math
import time
from collections.abc import Callable
from dataclasses import replace
from fractions import Fraction
from statistics import median

import mpmath
import numpy as np
import pytest
import scipy.integrate
from flint import acb, arb

from verification import gallery
from verification.enclosure.balls import ball, precision
from verification.instance import ActivationSpec, Instance, Normal, Uniform
from verification.recurrent.law import mean_b
from verification.recurrent.memory import memory_map
from verification.recurrent.memory_doubles import memory_map_doubles

PAIRS = 100_000
ROUNDS = 5
GAUSS_HERMITE_NODES = 180


def standard() -> Instance:
    onegin = gallery.load("markov-onegin")
    law = replace(
        onegin.law,
        w=Normal(mean=(Fraction(0),), std=Fraction(1)),
        b=Uniform(low=(Fraction(1, 5),), high=(Fraction(4, 5),)),
    )
    return replace(onegin, activation=ActivationSpec.named("tanh"), law=law)


INSTANCE = standard()
MEAN_B = float(mean_b(INSTANCE.law))


def pairs() -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(2308)
    return rng.uniform(-1, 1, PAIRS), rng.uniform(-0.5, 0.5, PAIRS)


# The peers: arrays of inputs and memories to an array of values.


def gauss_hermite(x: np.ndarray, v: np.ndarray) -> np.ndarray:
    """As one writes it in numpy: the nodes that reach 1e-13, and no bound."""
    nodes, weights = np.polynomial.hermite_e.hermegauss(GAUSS_HERMITE_NODES)
    return (
        np.tanh(np.multiply.outer(x, nodes) + v[:, None]) @ weights * (MEAN_B / np.sqrt(2 * np.pi))
    )


def torch_gauss_hermite(x: np.ndarray, v: np.ndarray) -> np.ndarray:
    torch = importlib.import_module("torch")
    nodes, weights = np.polynomial.hermite_e.hermegauss(GAUSS_HERMITE_NODES)
    nodes, weights = torch.from_numpy(nodes), torch.from_numpy(weights)
    x, v = torch.from_numpy(x), torch.from_numpy(v)
    values = torch.tanh(torch.outer(x, nodes) + v[:, None]) @ weights
    return values.numpy() * (MEAN_B / np.sqrt(2 * np.pi))


def one_by_one(integral: Callable[[float, float], float]) -> Callable[..., np.ndarray]:
    def values(x: np.ndarray, v: np.ndarray) -> np.ndarray:
        return np.array(
            [MEAN_B * integral(*pair) for pair in zip(x.tolist(), v.tolist(), strict=True)]
        )

    return values


def by_scipy(x: float, v: float) -> float:
    def integrand(z: float) -> float:
        return math.tanh(x * z + v) * math.exp(-z * z / 2)

    value = scipy.integrate.quad(integrand, -np.inf, np.inf, epsabs=1e-13, epsrel=1e-13)[0]
    return value / math.sqrt(2 * math.pi)


def by_mpmath(x: float, v: float) -> float:
    def integrand(z: mpmath.mpf) -> mpmath.mpf:
        return mpmath.tanh(x * z + v) * mpmath.npdf(z)

    return float(mpmath.quad(integrand, [-mpmath.inf, 0, mpmath.inf]))


def by_flint(x: float, v: float) -> float:
    """Rigorous: the integrand is meromorphic, so that its `analytic` flag plays no part."""
    slope, shift = arb(x), arb(v)

    def integrand(z: acb, _analytic: bool) -> acb:
        return (z * slope + shift).tanh() * (-z * z / 2).exp()

    # Beyond |z| = 9 lies less than 2e-19 of the mass.
    value = acb.integral(integrand, acb(-9), acb(9)) / acb(2 * arb.pi()).sqrt()
    return float(value.real.mid())


def in_balls(x: np.ndarray, v: np.ndarray) -> np.ndarray:
    values = []
    with precision(64):
        for a, b in zip(x.tolist(), v.tolist(), strict=True):
            chain = replace(INSTANCE.chain, inputs=((Fraction(a),),))
            value = memory_map(replace(INSTANCE, chain=chain), 0, ball(Fraction(b)))
            values.append(float(value.mid()))
    return np.array(values)


# name: the peer, how many pairs it takes in a round, what it needs, how far it may be off
PEERS = {
    "numpy, Gauss-Hermite, not proved": (gauss_hermite, 20_000, "numpy", 1e-12),
    "torch, Gauss-Hermite, not proved": (torch_gauss_hermite, 20_000, "torch", 1e-12),
    "scipy.integrate.quad": (one_by_one(by_scipy), 40, "scipy", 1e-12),
    "this project's balls, 64 bits": (in_balls, 10, "flint", 1e-15),
    "acb.integral, 53 bits": (one_by_one(by_flint), 20, "flint", 1e-12),
    "mpmath.quad": (one_by_one(by_mpmath), 5, "mpmath", 1e-12),
}


def has(library: str) -> bool:
    return importlib.util.find_spec(library) is not None


def seconds(function: Callable[..., object], *arguments: object) -> float:
    start = time.perf_counter()
    function(*arguments)
    return time.perf_counter() - start


@pytest.mark.benchmark(group="memory map, 100,000 pairs")
@pytest.mark.parametrize("order", [0, 1])
def test_memory_map(benchmark, order):
    x, v = pairs()
    values, error = benchmark(memory_map_doubles, INSTANCE, x[:, None], v, order=order)
    benchmark.extra_info["proved error"] = error
    assert error < 1e-13
    assert np.isfinite(values).all()


@pytest.mark.benchmark(group="memory map, one pair beside its peers")
def test_ratio_to_peers(benchmark, capsys):
    x, v = pairs()
    here = {name: peer for name, peer in PEERS.items() if has(peer[2])}
    rounds: list[dict[str, float]] = []

    def measure() -> None:
        taken = {"ours": seconds(memory_map_doubles, INSTANCE, x[:, None], v) / PAIRS}
        for name, (peer, count, _, _) in here.items():
            taken[name] = seconds(peer, x[:count], v[:count]) / count
        rounds.append(taken)

    benchmark.pedantic(measure, rounds=ROUNDS, warmup_rounds=1)
    values, error = memory_map_doubles(INSTANCE, x[:, None], v)
    one = median(taken["ours"] for taken in rounds)
    lines = [f"ours: {1e9 * one:,.0f} ns a pair, proved error {error:.2g}"]
    for name, (peer, count, library, tolerance) in PEERS.items():
        if name not in here:
            benchmark.extra_info[f"{name} / ours"] = "missing"
            lines.append(f"{name}: {library} is missing")
            continue
        assert np.abs(peer(x[:count], v[:count]) - values[:count]).max() <= error + tolerance
        ratio = median(taken[name] / taken["ours"] for taken in rounds)
        benchmark.extra_info[f"{name} / ours"] = ratio
        one = median(taken[name] for taken in rounds)
        lines.append(f"{name}: {1e6 * one:,.2f} us a pair, {ratio:,.0f} times ours")
    with capsys.disabled():
        print("", *lines, sep="\n  ")
