"""Stationary laws and Poisson equations with proved errors, beside peers that prove nothing.

Chains: de Bruijn graphs with 4 successors and random rows (Dirichlet, from integer counts); a
random dense chain and one that nearly falls apart; walks on a ring.  Ours is the law within 10^-10
in the norm of L1, the Poisson solution of one observable, and their certificates, from the rounded
chain on.  In each round ours and the peers run one right after the other, and the ratio recorded
is the median of the rounds' ratios.
"""

from __future__ import annotations

import importlib
import importlib.util
import time
import tracemalloc
from collections.abc import Callable
from statistics import median

import numpy as np
import pytest
import scipy.linalg
from scipy.sparse import csr_array, eye_array
from scipy.sparse.linalg import eigs, gmres, splu, spsolve

from verification.markov.approximation import _law, _solutions
from verification.markov.large import RoundedChain, chain_of_counts, solve
from verification.markov.sweeps import sweeps

ROUNDS = 5
MOST_SWEEPS = 20_000
SPSOLVE_STATES = 4**5
"""Above, a random de Bruijn chain fills the factors: minutes at 4^8 states."""

GTH_STATES = 4**5
GMRES_STATES = 4**8


def de_bruijn(length: int) -> RoundedChain:
    n = 4**length
    counts = np.random.default_rng(2308).exponential(1e5, (n, 4)).astype(np.int64) + 1
    columns = (4 * np.arange(n)[:, None] % n + np.arange(4)).astype(np.int32)
    starts = (4 * np.arange(n + 1)).astype(np.int32)
    return chain_of_counts(csr_array((counts.ravel(), columns.ravel(), starts), shape=(n, n)))


def ring(n: int) -> RoundedChain:
    """A walk on a ring, weakly and randomly pushed to and fro."""
    forward = np.random.default_rng(2308).integers(490, 511, n)
    i = np.arange(n)
    places = (np.tile(i, 2), np.concatenate([(i + 1) % n, (i - 1) % n]))
    return chain_of_counts(csr_array((np.concatenate([forward, 1000 - forward]), places)))


def dense(n: int, *, blocks: int) -> RoundedChain:
    counts = np.random.default_rng(2308).integers(1, 1000, (n // blocks, n // blocks))
    counts = np.kron(np.eye(blocks, dtype=np.int64), counts)
    counts[0, -1] += 1
    counts[-1, 0] += 1
    return chain_of_counts(counts)


def observable(chain: RoundedChain) -> np.ndarray:
    return np.random.default_rng(1).uniform(-1, 1, chain.n_states)


# The peers.  Each takes a chain and an observable; those of the law alone leave the latter.


def power_and_neumann(chain: RoundedChain, f: np.ndarray) -> np.ndarray:
    """As one writes it with scipy's products, in double precision."""
    law = power(chain, f)
    term = f - law @ f
    u = term.copy()
    for sweep in range(MOST_SWEEPS):
        term = chain.matrix @ term
        u += term
        if sweep % 4 == 3 and np.abs(term).max() <= 1e-15:
            break
    return law


def power(chain: RoundedChain, _f: np.ndarray) -> np.ndarray:
    backward = chain.matrix.T
    law = np.full(chain.n_states, 1 / chain.n_states)
    for sweep in range(MOST_SWEEPS):
        after = backward @ law
        if sweep % 4 == 3 and np.abs(after - law).sum() <= 1e-15:
            break
        law = after
    return law / law.sum()


def by_eigs(chain: RoundedChain, _f: np.ndarray) -> np.ndarray:
    _, vectors = eigs(chain.matrix.T, k=1, which="LR", v0=np.ones(chain.n_states))
    law = np.abs(vectors[:, 0].real)
    return law / law.sum()


def reduced(chain: RoundedChain) -> tuple[csr_array, np.ndarray]:
    """The system of the law off state 0, with weight 1 there."""
    system = (eye_array(chain.n_states) - chain.matrix).tocsr()[1:][:, 1:]
    return system.T.tocsc(), chain.matrix[[0]].toarray()[0, 1:]


def with_first(rest: np.ndarray) -> np.ndarray:
    law = np.concatenate([[1.0], rest])
    return law / law.sum()


def by_spsolve(chain: RoundedChain, _f: np.ndarray) -> np.ndarray:
    return with_first(spsolve(*reduced(chain)))


def by_gmres(chain: RoundedChain, _f: np.ndarray) -> np.ndarray:
    solution, _ = gmres(*reduced(chain), rtol=1e-12, restart=50, maxiter=20)
    return with_first(solution)


def by_gth(chain: RoundedChain, _f: np.ndarray) -> np.ndarray:
    return importlib.import_module("quantecon.markov").gth_solve(chain.matrix.toarray())


# name: the peer, the library that it needs, how many states it is tried with, its error in L1
# (what eigs and gmres stop at, times how badly such chains are conditioned)
PEERS = {
    "power + Neumann, scipy, not proved": (power_and_neumann, "scipy", 4**10, 1e-10),
    "power iteration, law alone": (power, "scipy", 4**10, 1e-10),
    "scipy.sparse.linalg.eigs, law alone": (by_eigs, "scipy", 4**10, 1e-6),
    "gmres, law alone": (by_gmres, "scipy", GMRES_STATES, 1e-6),
    "spsolve, law alone": (by_spsolve, "scipy", SPSOLVE_STATES, 1e-10),
    "quantecon GTH, law alone": (by_gth, "quantecon", GTH_STATES, 1e-10),
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


@pytest.mark.benchmark(group="law and Poisson equation, de Bruijn chains")
@pytest.mark.parametrize("length", range(5, 11))
def test_ratio_to_peers(benchmark, capsys, length):
    chain = de_bruijn(length)
    f, n = observable(chain), chain.n_states
    here = {
        name: peer for name, (peer, library, most, _) in PEERS.items() if has(library) and n <= most
    }
    rounds: list[dict[str, float]] = []

    def measure() -> None:
        taken = {
            "ours": seconds(solve, chain, [f]),
            "ours, law alone": seconds(solve, chain),
            "ours, nothing proved": seconds(approximations, chain, f),
        }
        for name, peer in here.items():
            taken[name] = seconds(peer, chain, f)
        rounds.append(taken)

    benchmark.pedantic(measure, rounds=ROUNDS, warmup_rounds=1)
    found = solve(chain, [f])
    one = median(taken["ours"] for taken in rounds)
    lines = [
        (
            f"{n:,} states: ours {1e3 * one:,.2f} ms, law within {found.law.l1_error:.1g},"
            f" Poisson solution within {found.poisson[0].sup_error:.1g}"
        )
    ]
    for name in ("ours, law alone", "ours, nothing proved", *PEERS):
        if name in PEERS and n > PEERS[name][2]:
            continue
        if name in PEERS and name not in here:
            benchmark.extra_info[f"{name} / ours"] = "missing"
            lines.append(f"{name}: {PEERS[name][1]} is missing")
            continue
        if name in here:
            law = here[name](chain, f)
            assert np.abs(law - found.law.law).sum() <= found.law.l1_error + PEERS[name][3]
        ratio = median(taken[name] / taken["ours"] for taken in rounds)
        benchmark.extra_info[f"{name} / ours"] = ratio
        one = median(taken[name] for taken in rounds)
        lines.append(f"{name}: {1e3 * one:,.2f} ms, {ratio:,.2f} times ours")
    report(capsys, lines)


def approximations(chain: RoundedChain, f: np.ndarray) -> None:
    """Ours without hitting times and bounds: what the certificates are measured against."""
    method, _ = sweeps(chain)
    law, _ = _law(chain, method)
    _solutions(chain, method, law, [f])


@pytest.mark.benchmark(group="law and Poisson equation, dense, 2,000 states")
@pytest.mark.parametrize("blocks", [1, 2], ids=["fast", "slow"])
def test_dense_beside_one_solve(benchmark, capsys, blocks):
    chain = dense(2000, blocks=blocks)
    f = observable(chain)
    system = (np.eye(2000) - chain.matrix).T
    system[0] = 1
    right = np.eye(2000)[0]
    rounds: list[dict[str, float]] = []

    def measure() -> None:
        rounds.append(
            {
                "ours": seconds(solve, chain, [f]),
                "scipy.linalg.solve": seconds(scipy.linalg.solve, system, right),
            }
        )

    benchmark.pedantic(measure, rounds=ROUNDS, warmup_rounds=1)
    found = solve(chain, [f])
    ratio = median(taken["ours"] / taken["scipy.linalg.solve"] for taken in rounds)
    benchmark.extra_info["ours / scipy.linalg.solve"] = ratio
    report(
        capsys,
        [
            (
                f"{found.law.route}: {ratio:.2f} times scipy.linalg.solve of the law's system,"
                f" law within {found.law.l1_error:.1g},"
                f" Poisson solution within {found.poisson[0].sup_error:.1g}"
            )
        ],
    )


def bare_splu(chain: RoundedChain, f: np.ndarray, state: int) -> None:
    """One factorisation with scipy's defaults, and the three solutions that ours needs."""
    kept = np.delete(np.arange(chain.n_states), state)
    system = (eye_array(chain.n_states) - chain.matrix).tocsr()[kept][:, kept].tocsc()
    factors = splu(system)
    law = factors.solve(chain.matrix[[state]].toarray()[0, kept], trans="T")
    factors.solve(f[kept] - (law @ f[kept] + f[state]) / (law.sum() + 1))
    factors.solve(np.ones(kept.size))


@pytest.mark.benchmark(group="law and Poisson equation, slow rings")
@pytest.mark.parametrize("n", [300, 10_000, 100_000])
def test_slow_ring_beside_splu(benchmark, capsys, n):
    chain = ring(n)
    f = observable(chain)
    state = solve(chain).law.state
    rounds: list[dict[str, float]] = []

    def measure() -> None:
        rounds.append(
            {"ours": seconds(solve, chain, [f]), "splu": seconds(bare_splu, chain, f, state)}
        )

    benchmark.pedantic(measure, rounds=ROUNDS, warmup_rounds=1)
    found = solve(chain, [f])
    assert found.law.route == "elimination"
    ratio = median(taken["ours"] / taken["splu"] for taken in rounds)
    benchmark.extra_info["ours / splu"] = ratio
    one = median(taken["ours"] for taken in rounds)
    report(
        capsys,
        [
            (
                f"ring of {n:,}: {1e3 * one:.1f} ms, {ratio:.2f} times splu and three solutions,"
                f" hitting times {found.law.longest_hitting_time:.1g},"
                f" law within {found.law.l1_error:.1g}"
            )
        ],
    )


@pytest.mark.benchmark(group="law and Poisson equation, growth")
def test_time_and_memory_are_linear(benchmark, capsys):
    lines = []

    def measure() -> None:
        for n in (10**3, 10**4, 10**5, 10**6):
            rng = np.random.default_rng(2308)
            counts = rng.exponential(1e5, (n, 4)).astype(np.int64) + 1
            columns = (4 * np.arange(n)[:, None] + np.arange(4)) % n
            starts = 4 * np.arange(n + 1)
            chain = chain_of_counts(
                csr_array((counts.ravel(), columns.ravel(), starts), shape=(n, n))
            )
            f = observable(chain)
            taken = min(seconds(solve, chain, [f]) for _ in range(3))
            tracemalloc.start()
            found = solve(chain, [f])
            extra = tracemalloc.get_traced_memory()[1]
            tracemalloc.stop()
            benchmark.extra_info[f"{n} states"] = {"seconds": taken, "bytes": extra}
            lines.append(
                f"{n:,} states: {1e9 * taken / chain.n_entries:,.0f} ns an entry,"
                f" {extra / chain.n_entries:.0f} bytes an entry beside the matrix,"
                f" {extra / 1e6:.1f} MB; law within {found.law.l1_error:.1g}"
            )

    benchmark.pedantic(measure, rounds=1)
    report(capsys, lines)
