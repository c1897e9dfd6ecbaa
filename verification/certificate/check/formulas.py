"""The claims that the checker knows: what each says, what it assumes, and how a case is derived."""

from __future__ import annotations

from dataclasses import dataclass

from verification.certificate.check import chain_claims
from verification.certificate.check.chain_claims import Derivation


@dataclass(frozen=True)
class Formula:
    """One claim as the checker understands it.

    Parameters
    ----------
    says : str
        The (in)equality in words.
    derive : callable
        ``(instance, chain, case) -> Shown``: verify a case's witness, return both sides.
    identity : bool
        Whether the sides are equal.
    in_balls : bool
        Whether FLINT's balls are used, and trusted; rationals only, where not.
    witnesses : str
        What the certificate brings and the checker verifies.
    assumes : str
        What is verified of the instance.
    """

    says: str
    derive: Derivation
    witnesses: str
    assumes: str
    identity: bool = False
    in_balls: bool = False


FORMULAS: dict[str, Formula] = {
    "E4": Formula(
        says="|p - pi|_1 <= |sum p - 1| + |pP - p|_1 m / (1 - delta(P^m))",
        derive=chain_claims.error_by_contraction,
        witnesses="the stationary law",
        assumes="one recurrent class, aperiodic",
    ),
    "E5": Formula(
        says="|p - (sum p) pi|_1 <= 2 max(sum_i e_i^+ h_i, sum_i e_i^- h_i), e = pP - p",
        derive=chain_claims.error_by_hitting_times,
        witnesses="the stationary law, mean hitting times",
        assumes="one recurrent class",
    ),
    "P1": Formula(
        says="u = Z (f - pi(f)) solves u - P u = f - pi(f), and osc(u) <= Delta osc(f)",
        derive=chain_claims.poisson_equation,
        witnesses="the stationary law, solutions of the Poisson equation",
        assumes="one recurrent class, aperiodic",
    ),
    "P5": Formula(
        says=(
            "2 <ft, u> - <ft, ft> = pi(u^2) - pi((P u)^2) = s, and from the stationary law "
            "E[S_n^2] = n s - 2 <ft, (I - P^n) Z P u>"
        ),
        derive=chain_claims.variance_identities,
        witnesses="the stationary law, solutions of the Poisson equation, Z P u",
        assumes="one recurrent class",
        identity=True,
    ),
}
