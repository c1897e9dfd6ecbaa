"""The claims on the limiting kernel and on the limit equation."""

from verification.certificate.check.formula import ACTIVATIONS, Formula, lazily

_CHAIN = "the stationary law"
_ASSUMES = "training constants, q = s1 E|B| < 1, one recurrent class"

LIMIT: dict[str, Formula] = {
    "K1": Formula(
        says="|K(zeta, zeta')| <= Kbar = sup_u (sigma(u)^2 + E[C^2] R^2 sigma'(u)^2)",
        prepare=lazily("kernel_claims", "read_bounded_kernel"),
        derive=lazily("kernel_claims", "size_of_kernel"),
        witnesses="none; the kernel and the supremum are computed again",
        assumes="E[C^2 | W] does not depend on W",
        in_balls=True,
        relies_on=ACTIVATIONS,
        least_digits=1,
    ),
    "K2": Formula(
        says="a symmetric matrix with entries within eps of K has no eigenvalue below -n eps",
        prepare=lazily("limit_claims", "read_kernel"),
        derive=lazily("kernel_claims", "least_eigenvalue"),
        witnesses="matrices, and bounds of their least eigenvalues",
        assumes="the entries are within eps of K",
        in_balls=True,
        relies_on=ACTIVATIONS,
        least_digits=1,
        is_finer=True,
    ),
    "K3": Formula(
        says=(
            "|G_ij - K_ij| <= eps; |I_h - K| <= S E (d = 1), S E (2 + E) (d = 2), "
            "E = 2 exp(a^2/2) / (exp(2 pi a/h) - 1)"
        ),
        prepare=lazily("limit_claims", "read_kernel"),
        derive=lazily("kernel_claims", "error_of_entry"),
        witnesses="entries with their stated errors, widths of strips",
        assumes="nothing",
        in_balls=True,
        relies_on=ACTIVATIONS,
        is_finer=True,
    ),
    "K4": Formula(
        says="E[(K^N - K)^2] = Var(Y)/N, Y = sigma sigma' + C^2 dsigma dsigma' x.x'",
        prepare=lazily("drawn_claims", "read_drawn"),
        derive=lazily("drawn_claims", "distance_of_drawn_kernel"),
        witnesses="none; few draws are summed again, or integrated over",
        assumes="nothing",
        identity=True,
        in_balls=True,
        relies_on=ACTIVATIONS,
    ),
    "K5": Formula(
        says="|K((x, v), z) - K((x, w), z)| / |v - w| <= s0 s1 + E[C^2] s1 s2 R^2",
        prepare=lazily("limit_claims", "read_kernel"),
        derive=lazily("kernel_claims", "slope_of_kernel"),
        witnesses="none; the kernel is computed again",
        assumes="nothing",
        in_balls=True,
        relies_on=ACTIVATIONS,
        least_digits=1,
    ),
    "O1": Formula(
        says=(
            "g_t = (I - exp(-alpha t T_K)) y is theta_t . phi, theta' = -alpha (A theta - b): the "
            "loss, |theta_t|^2 and g_t at a point"
        ),
        prepare=lazily("limit_claims", "read_limit"),
        derive=lazily("limit_claims", "two_forms"),
        witnesses=_CHAIN,
        assumes=_ASSUMES,
        identity=True,
        in_balls=True,
        relies_on=ACTIVATIONS,
    ),
    "O2": Formula(
        says="|g_t - y|^2 = sum_j exp(-2 alpha t lambda_j) <y, e_j>^2 + |y - proj y|^2",
        prepare=lazily("limit_claims", "read_limit"),
        derive=lazily("limit_claims", "spectral_loss"),
        witnesses=_CHAIN,
        assumes=_ASSUMES,
        identity=True,
        in_balls=True,
        relies_on=ACTIVATIONS,
    ),
    "O3": Formula(
        says="|g_t - y|^2 - |y - proj y|^2 <= |theta*|^2 / (2 e alpha t), theta* the shortest",
        prepare=lazily("limit_claims", "read_limit"),
        derive=lazily("limit_claims", "excess_loss"),
        witnesses=_CHAIN,
        assumes=f"{_ASSUMES}, the kernel is positive definite at the places",
        in_balls=True,
        relies_on=ACTIVATIONS,
    ),
    "O4": Formula(
        says=(
            "|g_t^mu - g_t^{mu_m}| <= alpha t |y| L_K (1 + min(tau, (2 tau/3)^(1/2))) q^m vbar at "
            "a point, mu itself or mu_M for an M > m"
        ),
        prepare=lazily("limit_claims", "read_limit"),
        derive=lazily("limit_claims", "dependence_on_history"),
        witnesses=f"{_CHAIN}; the supremum Kbar is searched again",
        assumes=_ASSUMES,
        in_balls=True,
        relies_on=ACTIVATIONS,
        least_digits=1,
        is_finer=True,
    ),
    "O5": Formula(
        says="|theta_t|^2 <= c alpha t |y|^2, c = max_s (1 - exp(-s))^2 / s",
        prepare=lazily("limit_claims", "read_limit"),
        derive=lazily("limit_claims", "growth_of_weight"),
        witnesses=_CHAIN,
        assumes=_ASSUMES,
        in_balls=True,
        relies_on=ACTIVATIONS,
    ),
    "T6D": Formula(
        says=(
            "|d_n|^2 <= h sum m_k^2, d_{k+1} = d_k - h c_k phi_k (d_k . phi_k - m_k), d_0 = 0, "
            "0 < c_k <= 1, h = 1 / max K(zeta_k, zeta_k)"
        ),
        prepare=lazily("limit_claims", "read_kernel"),
        derive=lazily("recursion_claims", "driven_recursion"),
        witnesses="none; the recursion is followed again",
        assumes="nothing of the instance",
        in_balls=True,
        relies_on=ACTIVATIONS,
    ),
}
