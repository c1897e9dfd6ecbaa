"""The claims on the activation, on the memory and on the joint chain of data and memory."""

from verification.certificate.check.formula import ACTIVATIONS, Formula, lazily

MEMORY: dict[str, Formula] = {
    "A1": Formula(
        says="sup |sigma^(k)| <= s_k for k = 0, .., 3, an equality for a single named function",
        prepare=lazily("activation_claims", "read_activation"),
        derive=lazily("activation_claims", "supremum_of_derivative"),
        witnesses="none; the suprema are searched again",
        assumes="nothing",
        in_balls=True,
        least_digits=1,
        is_finer=True,
    ),
    "A2": Formula(
        says="|sigma| <= m(a) and |sigma'| <= m1(a) on |Im z| <= a, a below the nearest pole",
        prepare=lazily("activation_claims", "read_activation"),
        derive=lazily("activation_claims", "supremum_on_strip"),
        witnesses="none; the suprema are searched again",
        assumes="a below the distance of the nearest pole",
        in_balls=True,
        least_digits=1,
        is_finer=True,
        relies_on="the maximum principle",
    ),
    "M1": Formula(
        says="max_i sup_{|v| <= vbar} |E[B sigma'(W.x_i + v)]| <= q = s1 E|B|",
        prepare=lazily("memory_claims", "read_memory"),
        derive=lazily("memory_claims", "steepest_slope"),
        witnesses="none; the supremum is searched again",
        assumes="q < 1",
        in_balls=True,
        relies_on=ACTIVATIONS,
    ),
    "M2": Formula(
        says="|T_x h - T_x h'| / |h - h'| <= s1 (E[E[B|W]^2])^(1/2) in L2",
        prepare=lazily("memory_claims", "read_memory"),
        derive=lazily("memory_claims", "layer_contraction"),
        witnesses="none; the norms are computed again",
        assumes="q = s1 E|B| < 1",
        in_balls=True,
        relies_on=ACTIVATIONS,
    ),
    "M3": Formula(
        says=(
            "|T_x h - T_x h'| / |h - h'| <= sup_u (sigma'^2 + R^2 sigma''^2)^(1/2) "
            "(E[E[B|W]^2])^(1/2) in H1"
        ),
        prepare=lazily("memory_claims", "read_memory"),
        derive=lazily("memory_claims", "sobolev_bound"),
        witnesses="none; the norms and the supremum are computed again",
        assumes="q = s1 E|B| < 1",
        in_balls=True,
        relies_on=ACTIVATIONS,
    ),
    "M4": Formula(
        says="|F^n(c) - v*| <= q^(pn) |F(c) - c| / (1 - q^p), F(v*) = v*, F the word's map",
        prepare=lazily("memory_claims", "read_memory"),
        derive=lazily("memory_claims", "distance_to_fixed_point"),
        witnesses="fixed points, each by a change of sign of F(v) - v around it",
        assumes="q = s1 E|B| < 1",
        in_balls=True,
        relies_on=ACTIVATIONS,
    ),
    "M5": Formula(
        says="|v_k - v'_k| <= q^k |v_0 - v'_0|; the last m inputs give the memory up to q^m vbar",
        prepare=lazily("memory_claims", "read_memory"),
        derive=lazily("memory_claims", "forgetting"),
        witnesses="none; the memories are followed again",
        assumes="q = s1 E|B| < 1",
        in_balls=True,
        relies_on=ACTIVATIONS,
    ),
    "M6": Formula(
        says=(
            "(E|v_k^N - v_k|^2)^(1/2) <= (s_Phi / N^(1/2)) (1 - qbar^k)/(1 - qbar), "
            "s_Phi = max_i sup_v sd(B sigma(W.x_i + v))"
        ),
        prepare=lazily("frozen_claims", "read_frozen"),
        derive=lazily("frozen_claims", "distance_from_limit"),
        witnesses="none; all draws of the units are summed, the supremum is searched again",
        assumes="qbar = s1 bbar < 1, a law of atoms",
        in_balls=True,
        relies_on=ACTIVATIONS,
    ),
    "E1": Formula(
        says=(
            "W(zeta Q^m, zeta' Q^m) <= kappa d_M(zeta, zeta'), "
            "kappa = max(q^m, delta(P^m) + D_m/M) < 1"
        ),
        prepare=lazily("ergodicity_claims", "read_joint"),
        derive=lazily("ergodicity_claims", "contracting_step"),
        witnesses="the stationary law, a grid of memories; the supremum D is searched again",
        assumes="q = s1 E|B| < 1, M > D_m/(1 - delta(P^m)), one recurrent class, aperiodic",
        in_balls=True,
        relies_on=ACTIVATIONS,
        least_digits=1,
    ),
    "E2": Formula(
        says="W(mu, mu_m) <= q^m int |v| dmu, mu the joint chain's invariant law",
        prepare=lazily("ergodicity_claims", "read_joint"),
        derive=lazily("ergodicity_claims", "forgetting_in_law"),
        witnesses="the stationary law, a law on a grid of memories that a step hardly moves",
        assumes="q = s1 E|B| < 1, one recurrent class",
        in_balls=True,
        relies_on=ACTIVATIONS,
        least_digits=1,
    ),
    "E3": Formula(
        says="W(zeta Q^(m k), mu) <= kappa^k (M + 2 vbar), mu the joint chain's invariant law",
        prepare=lazily("ergodicity_claims", "read_joint"),
        derive=lazily("ergodicity_claims", "convergence"),
        witnesses="the stationary law, a law on a grid of memories that a step hardly moves",
        assumes="q = s1 E|B| < 1, M > D_m/(1 - delta(P^m)), one recurrent class, aperiodic",
        in_balls=True,
        relies_on=ACTIVATIONS,
        least_digits=1,
    ),
    "P7": Formula(
        says=(
            "max_{i,j} sup_v |U(i, v) - U(j, v)| <= Omega = (o_F + l D/(1 - q)) Delta, Lip(U) <= "
            "l/(1 - q), E[(sum_k F - mu(F))^2]^(1/2) <= Omega + 2 vbar l/(1 - q) + (n p/2)^(1/2) "
            "Omega; U - Q U = F - mu(F), F = a + l v"
        ),
        prepare=lazily("joint_claims", "read_joint_equation"),
        derive=lazily("joint_claims", "joint_equation"),
        witnesses="the stationary law; functions of state and memory are followed as polynomials",
        assumes="q = s1 E|B| < 1, one recurrent class, aperiodic",
        in_balls=True,
        relies_on=f"{ACTIVATIONS}; FLINT's products of matrices of integers",
        least_digits=1,
        is_finer=True,
    ),
}
