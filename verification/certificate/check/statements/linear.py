"""The claims of the second family: on linear networks, and on targets with memory."""

from verification.certificate.check.formula import Formula, lazily
from verification.certificate.check.numbers.bounds import LEAST_DIGITS
from verification.certificate.check.targets import SCHEMA as TARGET
from verification.certificate.check.targets import read_target

_NETWORK = "every eigenvalue of W has a negative real part"
_SMOOTH = "the target and derivatives decay faster than exp(-beta t); g bounds them part by part"
_RANK = "a network's matrix has rank m at most"
_OF_SUMS = (
    "the bound of a trapezoidal rule's error, and that the error of a sum of m exponentials has at "
    "most 2m zeros"
)
_DISTANCE = "a network of the width, where its error changes its sign"


def _of_target(
    says: str, module: str, derive: str, witnesses: str, *, least_digits: int = LEAST_DIGITS
) -> Formula:
    """Return a claim on all networks of a width."""
    return Formula(
        says=says,
        prepare=lazily("width_claims", "read_approximated"),
        derive=lazily(module, derive),
        witnesses=f"{witnesses}, {_DISTANCE}",
        assumes="the network brought has the width at most",
        in_balls=True,
        relies_on=_RANK,
        kind=TARGET,
        read=read_target,
        least_digits=least_digits,
        is_finer=least_digits < LEAST_DIGITS,
    )


LINEAR: dict[str, Formula] = {
    "C1": Formula(
        says="y(t) = int_0^inf x(t - s) . rho_hat(s) ds, rho_hat(s) = U^T exp(W^T s) c",
        prepare=lazily("linear_claims", "read_network"),
        derive=lazily("linear_claims", "representation"),
        witnesses="a basis that shows how the network forgets; inputs",
        assumes=_NETWORK,
        identity=True,
        in_balls=True,
        kind=TARGET,
        read=read_target,
    ),
    "C1S": Formula(
        says="|y(t)| <= ||rho_hat|| = int_0^inf sum_i |rho_hat_i| for |x|_inf <= 1",
        prepare=lazily("linear_claims", "read_kernel"),
        derive=lazily("linear_claims", "norm_of_network"),
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
        prepare=lazily("linear_claims", "read_barrier"),
        derive=lazily("linear_claims", "memory_barrier"),
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
        "quadratic_claims",
        "quadratic_form",
        "the functions of the form, bounds of an eigenvalue and a norm",
    ),
    "C4T": _of_target(
        "sum_i (s_{m+1} + s_{m+2} + ..)(A_i) / max_t |M(t)|_1 <= ||rho - rho_hat||",
        "form_claims",
        "trace_norm",
        "intervals and weights, bounds of singular values",
        # Of a bump the sum is so near 0 that doubles only bound it.
        least_digits=1,
    ),
    "C2": Formula(
        says=(
            "||rho - rho_hat|| <= d g C(a) (m-a)!/m!, rho_hat of rates beta/(a+1), .., m beta/(a+1)"
        ),
        prepare=lazily("rate_claims", "read_smooth"),
        derive=lazily("rate_claims", "polynomial_network"),
        witnesses="coefficients of networks, where their errors change their signs",
        assumes=_SMOOTH,
        in_balls=True,
        kind=TARGET,
        read=read_target,
        least_digits=1,
        is_finer=True,
    ),
    "C2P": Formula(
        says=(
            "||rho - rho_hat|| <= C(a) g d/(beta m^a) for one network of width m, and so sum_i "
            "s_{m+1}(A_i), at most the error of any, is no larger"
        ),
        prepare=lazily("rate_claims", "read_smooth"),
        derive=lazily("rate_claims", "quoted_rate"),
        witnesses=f"functions, bounds of singular values, {_DISTANCE}",
        assumes=_SMOOTH,
        in_balls=True,
        relies_on=_RANK,
        kind=TARGET,
        read=read_target,
        is_finer=True,
    ),
    "C3": Formula(
        says="||rho - rho_hat|| <= eps for some linear network",
        prepare=lazily("universality_claims", "read_continuous"),
        derive=lazily("universality_claims", "network_within"),
        witnesses="networks, where their errors change their signs; trapezoidal rules",
        assumes="the target does not jump",
        in_balls=True,
        relies_on=_OF_SUMS,
        kind=TARGET,
        read=read_target,
        is_finer=True,
    ),
    "C5": Formula(
        says="||rho_w - rho_hat|| <= delta(h) + the masses left out, for a trapezoidal rule",
        prepare=lazily("law_claims", "read_law"),
        derive=lazily("law_claims", "error_of_rule"),
        witnesses="rules, where their errors change their signs",
        assumes="the target is one power law",
        in_balls=True,
        kind=TARGET,
        read=read_target,
        is_finer=True,
    ),
    "C5W": Formula(
        says="some m <= 0.76 (1/w) log(1/eps)^2 is enough for ||rho_w - rho_hat|| <= eps",
        prepare=lazily("law_claims", "read_law"),
        derive=lazily("law_claims", "nodes_of_rule"),
        witnesses="trapezoidal rules",
        assumes="the target is one power law, w <= 1",
        in_balls=True,
        relies_on="the bound of a trapezoidal rule's error",
        kind=TARGET,
        read=read_target,
    ),
    "C5L": Formula(
        says="the least m with ||rho_w - rho_hat|| <= eps for a network of width m: from, to",
        prepare=lazily("law_claims", "read_law"),
        derive=lazily("law_claims", "width_of_error"),
        witnesses="places of lower bounds; sums and where their errors change sign, or rules",
        assumes="the target is one power law",
        in_balls=True,
        relies_on=f"{_RANK}, {_OF_SUMS}",
        kind=TARGET,
        read=read_target,
    ),
    "C7G": Formula(
        says="|grad 2 <f, rho_0>| <= g(r) where |th - th0| <= r, for a bump rho_0 after a delay S",
        prepare=lazily("training_claims", "read_plateau"),
        derive=lazily("training_claims", "pull"),
        witnesses="none; points of the ball",
        assumes="one channel of plain exponentials, r < min w*",
        in_balls=True,
        kind=TARGET,
        read=read_target,
    ),
}
