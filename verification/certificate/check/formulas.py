"""The claims that the checker knows: what each says, what it assumes, and how a case is derived."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from typing import Any

from verification.certificate.check import chain_claims
from verification.certificate.check.bounds import LEAST_DIGITS, Bounds, Shown
from verification.certificate.check.instances import SCHEMA as INSTANCE
from verification.certificate.check.instances import Instance, read_instance
from verification.certificate.check.outcome import Budget
from verification.certificate.check.reading import Node
from verification.certificate.check.targets import SCHEMA as TARGET
from verification.certificate.check.targets import Target, read_target


@dataclass(frozen=True)
class Formula:
    """One claim as the checker understands it.

    Parameters
    ----------
    says : str
        The (in)equality in words.
    prepare : callable
        ``(instance, witness, budget) -> context``: verify what all cases share, and assumptions.
    derive : callable
        ``(context, case, claimed) -> Shown``: verify a case's witness, return both sides; what is
        claimed of the left side may steer how well it is enclosed, and nothing else.
    identity : bool
        Whether the sides are equal.
    in_balls : bool
        Whether FLINT's balls are used, and trusted; rationals only, where not.
    relies_on : str
        What else is taken for granted.
    kind : str
        The kind of instance.
    read : callable
        ``(instance, budget) -> instance``: the reader of that kind.
    witnesses : str
        What the certificate brings and the checker verifies.
    assumes : str
        What is verified of the instance.
    least_digits : int
        To how many digits a side is stated at least.
    """

    says: str
    prepare: Callable[[Any, Node, Budget], Any]
    derive: Callable[[Any, Node, Bounds], Shown]
    witnesses: str
    assumes: str
    identity: bool = False
    in_balls: bool = False
    relies_on: str = ""
    kind: str = INSTANCE
    read: Callable[[Node, Budget], Instance | Target] = read_instance
    least_digits: int = LEAST_DIGITS


_ACTIVATIONS = "the constants s0, s1, s2, m and m1 of the activations (A1, A2)"


def _read_memory(instance: Instance, witness: Node, budget: Budget) -> object:
    from verification.certificate.check import memory_claims  # noqa: PLC0415 - loads FLINT

    return memory_claims.read_memory(instance, witness, budget)


def _prepared_in_balls(module: str, name: str) -> Callable[[Instance, Node, Budget], Any]:
    """Return what reads the witness that all cases share, from a module that loads FLINT."""

    def prepare(instance: Instance, witness: Node, budget: Budget) -> object:
        home = import_module(f"verification.certificate.check.{module}")
        found: object = getattr(home, name)(instance, witness, budget)
        return found

    return prepare


def _in_balls(module: str, name: str) -> Callable[[Any, Node, Bounds], Shown]:
    """Return what derives a case, from a module that is loaded when needed: it loads FLINT."""

    def derive(context: Any, case: Node, claimed: Bounds) -> Shown:  # noqa: ANN401
        home = import_module(f"verification.certificate.check.{module}")
        found: Shown = getattr(home, name)(context, case, claimed)
        return found

    return derive


def _prepared(module: str, name: str) -> Callable[[Any, Node, Budget], Any]:
    """Return what verifies a shared witness, from a module that is loaded when needed."""

    def prepare(instance: Any, witness: Node, budget: Budget) -> Any:  # noqa: ANN401
        home = import_module(f"verification.certificate.check.{module}")
        return getattr(home, name)(instance, witness, budget)

    return prepare


_NETWORK = "every eigenvalue of W has a negative real part"
_RANK = "a network's matrix has rank m at most"
_DISTANCE = "a network of the width, where its error changes its sign"


def _of_target(says: str, module: str, derive: str, witnesses: str) -> Formula:
    """Return a claim on all networks of a width."""
    return Formula(
        says=says,
        prepare=_prepared("width_claims", "read_approximated"),
        derive=_in_balls(module, derive),
        witnesses=f"{witnesses}, {_DISTANCE}",
        assumes="the network brought has the width at most",
        in_balls=True,
        relies_on=_RANK,
        kind=TARGET,
        read=read_target,
    )


FORMULAS: dict[str, Formula] = {
    "M1": Formula(
        says="max_i sup_{|v| <= vbar} |E[B sigma'(W.x_i + v)]| <= q = s1 E|B|",
        prepare=_read_memory,
        derive=_in_balls("memory_claims", "steepest_slope"),
        witnesses="none; the supremum is searched again",
        assumes="q < 1",
        in_balls=True,
        relies_on=_ACTIVATIONS,
    ),
    "M2": Formula(
        says="|T_x h - T_x h'| / |h - h'| <= s1 (E[E[B|W]^2])^(1/2) in L2",
        prepare=_read_memory,
        derive=_in_balls("memory_claims", "layer_contraction"),
        witnesses="none; the norms are computed again",
        assumes="q = s1 E|B| < 1",
        in_balls=True,
        relies_on=_ACTIVATIONS,
    ),
    "M3": Formula(
        says=(
            "|T_x h - T_x h'| / |h - h'| <= sup_u (sigma'^2 + R^2 sigma''^2)^(1/2) "
            "(E[E[B|W]^2])^(1/2) in H1"
        ),
        prepare=_read_memory,
        derive=_in_balls("memory_claims", "sobolev_bound"),
        witnesses="none; the norms and the supremum are computed again",
        assumes="q = s1 E|B| < 1",
        in_balls=True,
        relies_on=_ACTIVATIONS,
    ),
    "M4": Formula(
        says="|F^n(c) - v*| <= q^(pn) |F(c) - c| / (1 - q^p), F(v*) = v*, F the word's map",
        prepare=_read_memory,
        derive=_in_balls("memory_claims", "distance_to_fixed_point"),
        witnesses="fixed points, each by a change of sign of F(v) - v around it",
        assumes="q = s1 E|B| < 1",
        in_balls=True,
        relies_on=_ACTIVATIONS,
    ),
    "M5": Formula(
        says="|v_k - v'_k| <= q^k |v_0 - v'_0|; the last m inputs give the memory up to q^m vbar",
        prepare=_read_memory,
        derive=_in_balls("memory_claims", "forgetting"),
        witnesses="none; the memories are followed again",
        assumes="q = s1 E|B| < 1",
        in_balls=True,
        relies_on=_ACTIVATIONS,
    ),
    "E1": Formula(
        says=(
            "W(zeta Q^m, zeta' Q^m) <= kappa d_M(zeta, zeta'), "
            "kappa = max(q^m, delta(P^m) + D_m/M) < 1"
        ),
        prepare=_prepared_in_balls("ergodicity_claims", "read_joint"),
        derive=_in_balls("ergodicity_claims", "contracting_step"),
        witnesses="the stationary law, a grid of memories; the supremum D is searched again",
        assumes="q = s1 E|B| < 1, M > D_m/(1 - delta(P^m)), one recurrent class, aperiodic",
        in_balls=True,
        relies_on=_ACTIVATIONS,
        least_digits=1,
    ),
    "E2": Formula(
        says="W(mu, mu_m) <= q^m int |v| dmu, mu the joint chain's invariant law",
        prepare=_prepared_in_balls("ergodicity_claims", "read_joint"),
        derive=_in_balls("ergodicity_claims", "forgetting_in_law"),
        witnesses="the stationary law, a law on a grid of memories that a step hardly moves",
        assumes="q = s1 E|B| < 1, one recurrent class",
        in_balls=True,
        relies_on=_ACTIVATIONS,
        least_digits=1,
    ),
    "E3": Formula(
        says="W(zeta Q^(m k), mu) <= kappa^k (M + 2 vbar), mu the joint chain's invariant law",
        prepare=_prepared_in_balls("ergodicity_claims", "read_joint"),
        derive=_in_balls("ergodicity_claims", "convergence"),
        witnesses="the stationary law, a law on a grid of memories that a step hardly moves",
        assumes="q = s1 E|B| < 1, M > D_m/(1 - delta(P^m)), one recurrent class, aperiodic",
        in_balls=True,
        relies_on=_ACTIVATIONS,
        least_digits=1,
    ),
    "E4": Formula(
        says="|p - pi|_1 <= |sum p - 1| + |pP - p|_1 m / (1 - delta(P^m))",
        prepare=chain_claims.read_chain,
        derive=chain_claims.error_by_contraction,
        witnesses="the stationary law",
        assumes="one recurrent class, aperiodic",
    ),
    "E5": Formula(
        says="|p - (sum p) pi|_1 <= 2 max(sum_i e_i^+ h_i, sum_i e_i^- h_i), e = pP - p",
        prepare=chain_claims.read_chain,
        derive=chain_claims.error_by_hitting_times,
        witnesses="the stationary law, mean hitting times",
        assumes="one recurrent class",
    ),
    "P1": Formula(
        says="u = Z (f - pi(f)) solves u - P u = f - pi(f), and osc(u) <= Delta osc(f)",
        prepare=chain_claims.read_chain,
        derive=chain_claims.poisson_equation,
        witnesses="the stationary law, solutions of the Poisson equation",
        assumes="one recurrent class, aperiodic",
    ),
    "P2": Formula(
        says="max_i E_i[S_n^2]^(1/2) <= osc(u) + n^(1/2) s(u), s(u)^2 = max_i Var_i(u(xi_1))",
        prepare=chain_claims.read_chain,
        derive=_in_balls("moment_claims", "root_mean_square"),
        witnesses="the stationary law, solutions of the Poisson equation",
        assumes="one recurrent class",
        in_balls=True,
    ),
    "P5": Formula(
        says=(
            "2 <ft, u> - <ft, ft> = pi(u^2) - pi((P u)^2) = s, and from the stationary law "
            "E[S_n^2] = n s - 2 <ft, (I - P^n) Z P u>"
        ),
        prepare=chain_claims.read_chain,
        derive=chain_claims.variance_identities,
        witnesses="the stationary law, solutions of the Poisson equation, Z P u",
        assumes="one recurrent class",
        identity=True,
    ),
    "C1": Formula(
        says="y(t) = int_0^inf x(t - s) . rho_hat(s) ds, rho_hat(s) = U^T exp(W^T s) c",
        prepare=_prepared("linear_claims", "read_network"),
        derive=_in_balls("linear_claims", "representation"),
        witnesses="a basis that shows how the network forgets; inputs",
        assumes=_NETWORK,
        identity=True,
        in_balls=True,
        kind=TARGET,
        read=read_target,
    ),
    "C1S": Formula(
        says="|y(t)| <= ||rho_hat|| = int_0^inf sum_i |rho_hat_i| for |x|_inf <= 1",
        prepare=_prepared("linear_claims", "read_kernel"),
        derive=_in_balls("linear_claims", "norm_of_network"),
        witnesses=(
            "a basis that shows how the network forgets, where its kernel changes its sign; inputs"
        ),
        assumes=_NETWORK,
        in_balls=True,
        kind=TARGET,
        read=read_target,
    ),
    "C6": Formula(
        says="int (|rho| - |U| |c| K e^(-bt))_+ dt, by intervals, is at most ||rho - rho_hat||",
        prepare=_prepared("linear_claims", "read_barrier"),
        derive=_in_balls("linear_claims", "memory_barrier"),
        witnesses="a basis that shows how the network forgets, where its error changes its sign",
        assumes=_NETWORK,
        in_balls=True,
        kind=TARGET,
        read=read_target,
    ),
    "C4": _of_target(
        "sum_i s_{m+1}(A_i) <= ||rho - rho_hat||, A_i compressions of int rho_i(t + s) f(s) ds",
        "width_claims",
        "singular_values",
        "functions, bounds of singular values",
    ),
    "C4B": _of_target(
        "sum_i 1/|A_i^-1| <= ||rho - rho_hat||, A_i the integrals of rho_i(t_j + .) over I_k",
        "width_claims",
        "switched_inputs",
        "intervals and points",
    ),
    "C4K": _of_target(
        "sum_i (s_{m+1} + .. + s_{m+K})(A_i) / max_t |M(t)|_(K) <= ||rho - rho_hat||",
        "form_claims",
        "ky_fan",
        "intervals, bounds of singular values",
    ),
    "C4Q": _of_target(
        "lambda_min(A) / max |M_i(t)| <= ||rho - rho_hat||, A = sum_i int rho_i M_i",
        "form_claims",
        "quadratic_form",
        "the functions of the form, bounds of an eigenvalue and a norm",
    ),
    "C4T": _of_target(
        "sum_i (s_{m+1} + s_{m+2} + ..)(A_i) / max_t |M(t)|_1 <= ||rho - rho_hat||",
        "form_claims",
        "trace_norm",
        "intervals and weights, bounds of singular values",
    ),
    "C5W": Formula(
        says="some m <= 0.76 (1/w) log(1/eps)^2 is enough for ||rho_w - rho_hat|| <= eps",
        prepare=_prepared("law_claims", "read_law"),
        derive=_in_balls("law_claims", "nodes_of_rule"),
        witnesses="trapezoidal rules",
        assumes="the target is one power law, w <= 1",
        in_balls=True,
        relies_on="the bound of a trapezoidal rule's error",
        kind=TARGET,
        read=read_target,
    ),
    "C5L": Formula(
        says="the least m with ||rho_w - rho_hat|| <= eps for a network of width m: from, to",
        prepare=_prepared("law_claims", "read_law"),
        derive=_in_balls("law_claims", "width_of_error"),
        witnesses="places of lower bounds, sums of exponentials, where their errors change sign",
        assumes="the target is one power law",
        in_balls=True,
        relies_on=f"{_RANK}, and that the error of a sum of m exponentials has at most 2m zeros",
        kind=TARGET,
        read=read_target,
    ),
    "C7G": Formula(
        says="|grad 2 <f, rho_0>| <= g(r) where |th - th0| <= r, for a bump rho_0 after a delay S",
        prepare=_prepared("training_claims", "read_plateau"),
        derive=_in_balls("training_claims", "pull"),
        witnesses="none; points of the ball",
        assumes="one channel of plain exponentials, r < min w*",
        in_balls=True,
        kind=TARGET,
        read=read_target,
    ),
}
"""Claims on chains are checked in rationals; FLINT is loaded for the others only."""
