"""The claims on the training plateau: how long gradient flow stalls beside a late bump."""

from verification.certificate.check.formula import Formula, lazily
from verification.certificate.check.targets import SCHEMA as TARGET
from verification.certificate.check.targets import read_target

_FLOW = "polynomials near to the flow"


def _of_flow(says: str, derive: str, witnesses: str) -> Formula:
    """Return a claim on the flow of a training."""
    return Formula(
        says=says,
        prepare=lazily("training_claims", "read_plateau"),
        derive=lazily("flow_claims", derive),
        witnesses=witnesses,
        assumes="one channel of plain exponentials, r < min w*",
        in_balls=True,
        kind=TARGET,
        read=read_target,
        is_finer=True,
    )


TRAINING: dict[str, Formula] = {
    "C7": _of_flow(
        "rho/g(rho) is at most the time at which gradient flow leaves the ball, rho <= r",
        "time_of_pull",
        f"a rho, {_FLOW}",
    ),
    "C7E": _of_flow(
        "rho^2/K(rho) is at most the time at which gradient flow leaves the ball, rho <= r",
        "time_of_energy",
        f"a rho and an s, {_FLOW}",
    ),
    "C7L": _of_flow(
        "J(th0) - J(th(t)) <= r g(r) at a time t until which gradient flow is in the ball",
        "loss_on_the_way",
        _FLOW,
    ),
    "C7T": _of_flow(
        "|th(t) - th0| <= rho for ever, if e . grad L(th0 + e) > g(rho) rho for all |e| = rho",
        "trapped",
        f"a rho, {_FLOW}, a ball around its end that it does not leave",
    ),
}
