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
    "E6": Formula(
        says="|pi' - pi|_1 <= tau max_i sum_j |P'_ij - P_ij|, tau of the deviation matrix of P",
        prepare=lazily("perturbation_claims", "read_sensitive_chain"),
        derive=lazily("perturbation_claims", "moved_law"),
        witnesses="both stationary laws, the deviation matrix by its columns",
        assumes="one recurrent class",
    ),
    "P1": Formula(
        says="u = Z (f - pi(f)) solves u - P u = f - pi(f), and osc(u) <= Delta osc(f)",
        prepare=chain_claims.read_chain,
        derive=chain_claims.poisson_equation,
        witnesses="the stationary law, solutions of the Poisson equation",
        assumes="one recurrent class, aperiodic",
        may_vanish=True,
    ),
    "P2": Formula(
        says="max_i E_i[S_n^2]^(1/2) <= osc(u) + n^(1/2) s(u), s(u)^2 = max_i Var_i(u(xi_1))",
        prepare=chain_claims.read_chain,
        derive=lazily("moment_claims", "root_mean_square"),
        witnesses="the stationary law, solutions of the Poisson equation",
        assumes="one recurrent class",
        in_balls=True,
    ),
    "P3": Formula(
        says="E_i[max_{k<=n} S_k^2]^(1/2) <= osc(u) + 2 n^(1/2) s(u), from every start i",
        prepare=chain_claims.read_chain,
        derive=lazily("maximum_claims", "largest_sum"),
        witnesses="the stationary law, solutions of the Poisson equation",
        assumes="one recurrent class",
        in_balls=True,
        least_digits=1,
    ),
    "P4": Formula(
        says=(
            "P_i(|S_n| >= osc(u) + r) <= 2 exp(-2 r^2 / (n osc(u)^2)); P_i(|S_n - E_i S_n| >= r) "
            "<= 2 exp(-2 r^2 / sum_{l<n} osc(u_l)^2), u_l(i) = E_i[f(xi_0) + .. + f(xi_{l-1})]"
        ),
        prepare=lazily("tail_claims", "read_sums"),
        derive=lazily("tail_claims", "rare_sums"),
        witnesses="the stationary law, solutions of the Poisson equation; the sums' laws are found",
        assumes="one recurrent class",
        in_balls=True,
        least_digits=1,
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
        may_vanish=True,
    ),
    "P6": Formula(
        says=(
            "E_i[(sum_{k<n} f_k(xi_k) - pi(f_k))^2]^(1/2) <= osc(u_0) + Delta sum_k eps_k + "
            "(sum_k s(u_k)^2)^(1/2), eps_k >= osc(f_k - f_{k-1}), Delta >= sum_k delta(P^k)"
        ),
        prepare=chain_claims.read_chain,
        derive=lazily("moving_claims", "moving_sum"),
        witnesses="the stationary law, solutions of the Poisson equation",
        assumes="one recurrent class, aperiodic",
        in_balls=True,
        is_finer=True,
    ),
    "P6M": Formula(
        says=(
            "E_i[max_{m<=n} (sum_{k<m} f_k(xi_k) - pi(f_k))^2]^(1/2) <= osc(u_0) + Delta sum_k "
            "eps_k + 2 (sum_k s(u_k)^2)^(1/2), eps_k >= osc(f_k - f_{k-1})"
        ),
        prepare=chain_claims.read_chain,
        derive=lazily("maximum_claims", "largest_moving_sum"),
        witnesses="the stationary law, solutions of the Poisson equation",
        assumes="one recurrent class, aperiodic",
        in_balls=True,
        least_digits=1,
    ),
}
