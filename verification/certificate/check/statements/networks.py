"""The claims on the training of a finite network."""

from verification.certificate.check.formula import ACTIVATIONS, Formula, lazily

_DRAWN = "networks and paths, whose units and steps the laws allow; they are trained again"

NETWORKS: dict[str, Formula] = {
    "T1": Formula(
        says=(
            "|C_k - C_0| <= r s0 Ebar_k, |W_k - W_0| <= r s1 R M_k, |B_k - B_0| <= r s0 s1 M_k, "
            "r = alpha N^(beta-2), Ebar_k = sum_{j<k} |e_j|, "
            "M_k = sum_{j<k} |e_j| (cbar + r s0 Ebar_j)"
        ),
        prepare=lazily("network_claims", "read_networks"),
        derive=lazily("network_claims", "moved_weight"),
        witnesses=_DRAWN,
        assumes="training constants",
        in_balls=True,
        relies_on=ACTIVATIONS,
        is_finer=True,
    ),
    "T2": Formula(
        says=(
            "|v_k - v_k^0| <= (r s0^2 s1 M_k + bbar s1 R^2 r s1 M_{k-1}) (1 - qbar^k)/(1 - qbar), "
            "v^0 the memory of the same units with frozen weights"
        ),
        prepare=lazily("network_claims", "read_contracting_networks"),
        derive=lazily("network_claims", "memory_beside_frozen"),
        witnesses=_DRAWN,
        assumes="training constants, qbar = s1 bbar < 1",
        in_balls=True,
        relies_on=ACTIVATIONS,
        is_finer=True,
    ),
    "T3": Formula(
        says=(
            "|G_{k+1} - G_k + (alpha/N) e_k K_k(zeta_k, .)| <= alpha^2 N^(beta-3) e_k^2 chat "
            "(s0 s1^2 R^2 + chat^2 s1^2 s2 R^4 / 2), chat = cbar + r s0 Ebar_k"
        ),
        prepare=lazily("network_claims", "read_networks"),
        derive=lazily("network_claims", "step_of_kernel"),
        witnesses=_DRAWN,
        assumes="training constants",
        in_balls=True,
        relies_on=ACTIVATIONS,
        is_finer=True,
    ),
    "T4": Formula(
        says="E[G_0(x, v)^2] = N^(1 - 2 beta) E[C^2 sigma(W.x + v)^2]",
        prepare=lazily("output_claims", "read_untrained"),
        derive=lazily("output_claims", "initial_output"),
        witnesses="none; few draws are summed again, other means enclosed again",
        assumes="training constants, E[C | W] = 0",
        identity=True,
        in_balls=True,
        relies_on=ACTIVATIONS,
    ),
    "T7": Formula(
        says=(
            "h sum [psi(p_j)^2 + (1 - h K_j(zeta_j, zeta_j)) e_j^2] <= h sum y_j^2 + "
            "2 h sum |e_j z_j|, z the output less what is linear in the movement of C and W"
        ),
        prepare=lazily("network_claims", "read_clipped_networks"),
        derive=lazily("network_claims", "energy"),
        witnesses=_DRAWN,
        assumes="training constants, N^gamma >= max |y|",
        in_balls=True,
    ),
    "T7Z": Formula(
        says=(
            "|z_k - G_0(zeta_k)| <= N^(beta-1) h^2 s1^2 R^2 M_k (s0 Ebar_k + cbar M_k s2 R^2 / 2)"
        ),
        prepare=lazily("network_claims", "read_networks"),
        derive=lazily("network_claims", "linearisation"),
        witnesses=_DRAWN,
        assumes="training constants",
        in_balls=True,
        relies_on=ACTIVATIONS,
        is_finer=True,
    ),
    "T8": Formula(
        says="sup_{k <= n} |G_k - L_k| <= eps^2 Gamma, eps = N^(beta-1), L the linear recursion",
        prepare=lazily("lazy_claims", "read_lazy"),
        derive=lazily("lazy_claims", "lazy_error"),
        witnesses="units that occur up to the sign of C; they are trained again",
        assumes="training constants, E[C | W, B] = E[C^3 | W, B] = 0, q < 1, what Gamma asks for",
        in_balls=True,
        is_finer=True,
        relies_on=ACTIVATIONS,
    ),
    "T5": Formula(
        says=(
            "(B1 + B2)(N') <= (B1 + B2)(N) (N'/N)^-r, r = min(beta - 1/2, 1 - beta), B1 + B2 the "
            "bound of E max_{k <= NT} |G_k - g_{k/N}| at the initial input and memory 0, with "
            "numbers that bound the suprema in it"
        ),
        prepare=lazily("convergence_claims", "read_converging"),
        derive=lazily("convergence_claims", "decaying_bound"),
        witnesses=(
            "the stationary law; numbers that are shown to bound suprema over all memories, not "
            "that they are the least"
        ),
        assumes=(
            "training constants, E[C | W] = 0, qbar = s1 bbar < 1, one recurrent class, "
            "aperiodic, K > 0 somewhere, what B1 + B2 asks for"
        ),
        in_balls=True,
        is_finer=True,
        relies_on=f"{ACTIVATIONS}; of B1 + B2 that it bounds a network's distance is T6",
    ),
}
