"""The limit equation: how the output of an infinitely wide network moves under training.

    d/dt g_t(zeta) = -alpha int (g_t(zeta') - y(zeta')) K(zeta, zeta') mu(dzeta'),   g_0 = 0,

mu the invariant law of the joint chain of state and memory, y the target of the state.

`node_law`, `history` and `limit_flow` solve it in double precision with a proved error, for mu
itself; `finite_law`, `dual_form` and `feature_form` in balls, for laws with a few points.
"""
