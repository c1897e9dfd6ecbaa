"""The theorems, one module each, in the order of the papers; `CLAIMS` lists what they claim."""

from theorems import (
    activation_bounds,
    convergence_rate,
    finite_width_memory,
    geometric_ergodicity,
    joint_fluctuation,
    kernel_limit,
    lazy_training,
    linear_approximation,
    linear_functionals,
    linear_networks,
    linear_universality,
    memory_contraction,
    memory_width,
    ode_limit,
    poisson_fluctuation,
    training_convergence,
    training_plateau,
)
from verification.claim import AnyClaim

CLAIMS: tuple[AnyClaim, ...] = (
    *activation_bounds.CLAIMS,
    *memory_contraction.CLAIMS,
    *finite_width_memory.CLAIMS,
    *geometric_ergodicity.CLAIMS,
    *poisson_fluctuation.CLAIMS,
    *joint_fluctuation.CLAIMS,
    *kernel_limit.CLAIMS,
    *ode_limit.CLAIMS,
    *training_convergence.CLAIMS,
    *lazy_training.CLAIMS,
    *convergence_rate.CLAIMS,
    *linear_networks.CLAIMS,
    *linear_universality.CLAIMS,
    *linear_functionals.CLAIMS,
    *linear_approximation.CLAIMS,
    *memory_width.CLAIMS,
    *training_plateau.CLAIMS,
)
