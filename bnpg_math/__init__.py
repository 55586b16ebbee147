"""The mathematics of Bayesian-network policy gradient, as pure functions on arrays.

Nothing is imported here on purpose: an agent needs a handful of these modules and must not pay for
scipy or networkx. `arrays` (without `krylov`), `chance`, `learning`, `policies.softmax` and `errors` import
numpy only.

The letters are those of Chen et al. (2024): N agents, S states, A_i actions of agent i, pa(i) its
parents in the DAG, `mu` the initial distribution, `gamma` the discount, `theta^i` the logits with
shape ``[S, A_p1, .., A_pk, A_i]`` (parents ascending, own action last), `pi` the joint policy with
shape ``[S, A_1, .., A_N]``, `d` the *unnormalised* visitation, which sums to 1/(1 - gamma).
"""
