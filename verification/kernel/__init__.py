"""The limiting kernel of a wide recurrent network, and the empirical one of a finite network.

At two points zeta = (x, v), zeta' = (x', v') of input and memory

    K(zeta, zeta') = E[sigma(W.x + v) sigma(W.x' + v')
                       + C^2 sigma'(W.x + v) sigma'(W.x' + v') x.x'],

the expectation over one unit's initial law.  It is symmetric and positive semidefinite: the inner
product of the random vectors ``(sigma, C sigma' x)``.
"""
