"""The claims on the chain alone: decided in rationals, but for the roots of P2."""

from verification.certificate.check.claims import chain_claims
from verification.certificate.check.formula import Formula, lazily

CHAIN: dict[str, Formula] = {
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
        derive=lazily("moment_claims", "root_mean_square"),
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
}
