"""The stratified network and the linear recursion in plain numpy, with all that happens inside."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.special import erf, expit

from verification.instance import AtomicLaw, Instance

CURVES = {
    "tanh": (np.tanh, lambda u: 1 / np.cosh(u) ** 2),
    "logistic": (expit, lambda u: expit(u) * expit(-u)),
    "arctan": (np.arctan, lambda u: 1 / (1 + u * u)),
    "erf": (erf, lambda u: 2 / np.sqrt(np.pi) * np.exp(-u * u)),
    "sin": (np.sin, np.cos),
}


@dataclass(frozen=True, kw_only=True)
class Seen:
    """Index k is the number of steps taken; the arrays of errors end one earlier."""

    p: np.ndarray
    c: np.ndarray
    w: np.ndarray
    b: np.ndarray
    memories: np.ndarray
    frozen_memories: np.ndarray
    predictions: np.ndarray
    errors: np.ndarray
    outputs: np.ndarray
    linear: np.ndarray
    inputs: np.ndarray
    h: float
    eps: float
    curves: tuple

    def mean(self, values) -> float:
        return float(self.p @ values)

    def reach(self, k: int) -> float:
        return self.h * float(np.abs(self.errors[:k]).sum())

    def kernel(self, k: int, first, second) -> float:
        """The kernel of the units after k steps between points (x, v)."""
        sigma, slope = self.curves
        (x, v), (y, u) = first, second
        one, two = self.w[k] @ x + v, self.w[k] @ y + u
        return self.mean(
            sigma(one) * sigma(two) + self.c[k] ** 2 * slope(one) * slope(two) * (x @ y)
        )


def clip(z: float, bound: float) -> float:
    t = min(max((abs(z) - bound) / (2 * bound), 0.0), 1.0)
    return float(np.sign(z)) * (min(abs(z), bound) + 2 * bound * (t - t**3 + t**4 / 2))


def train(instance: Instance, law: AtomicLaw, width: int, word, place, *, sign: int = 1) -> Seen:
    """Train along a word and look at one point (x, v)."""
    training = instance.training
    assert training is not None
    h = float(training.alpha) / width
    eps = sign * float(width) ** (float(training.beta) - 1)
    bound = float(width) ** float(training.gamma)
    sigma, slope = curves = CURVES[instance.activation.label]
    p = np.array([float(a.p) for a in law.atoms])
    c = [np.array([float(a.c) for a in law.atoms])]
    w = [np.array([[float(x) for x in a.w] for a in law.atoms])]
    b = [np.array([float(a.b) for a in law.atoms])]
    inputs = np.array([[float(x) for x in row] for row in instance.chain.inputs])
    targets = [float(y) for y in instance.chain.targets]
    x_at, v_at = np.array([float(x) for x in place.input]), float(place.memory)

    def features(x, v):
        u = w[0] @ x + v
        return np.concatenate([sigma(u), *(c[0] * slope(u) * entry for entry in x)])

    weight = np.tile(p, 1 + inputs.shape[1])
    theta = np.zeros_like(weight)
    hidden, memories, frozen = np.zeros_like(p), [0.0], [0.0]
    predictions, errors = [], []
    outputs, linear = [float(p @ (c[0] * sigma(w[0] @ x_at + v_at))) / eps], [0.0]
    for state in word:
        x, y = inputs[state], targets[state]
        u = w[-1] @ x + memories[-1]
        prediction = float(p @ (c[-1] * sigma(u))) / eps
        e = clip(prediction, bound) - y
        through = float(p @ (c[-1] * slope(u)))
        pull = h * eps * e * c[-1] * slope(u)
        b.append(b[-1] - h * eps * e * hidden * through)
        w.append(w[-1] - pull[:, None] * x)
        c.append(c[-1] - h * eps * e * sigma(u))
        hidden = sigma(u)
        here = features(x, frozen[-1])
        theta = theta - h * ((weight * theta) @ here - y) * here
        frozen.append(float(p @ (b[0] * sigma(w[0] @ x + frozen[-1]))))
        memories.append(float(p @ (b[-1] * hidden)))
        predictions.append(prediction)
        errors.append(e)
        outputs.append(float(p @ (c[-1] * sigma(w[-1] @ x_at + v_at))) / eps)
        linear.append(float((weight * theta) @ features(x_at, v_at)))
    return Seen(
        p=p,
        c=np.array(c),
        w=np.array(w),
        b=np.array(b),
        memories=np.array(memories),
        frozen_memories=np.array(frozen),
        predictions=np.array(predictions),
        errors=np.array(errors),
        outputs=np.array(outputs),
        linear=np.array(linear),
        inputs=inputs[list(word)],
        h=h,
        eps=eps,
        curves=curves,
    )
