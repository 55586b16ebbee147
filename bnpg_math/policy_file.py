"""Policies and their files under an earlier name.

They are in `bnpg_math.policies.file`; `bnpg.Policy`, `bnpg.load_policy` and `bnpg.save_policy` are the names
that are promised to stay. Scripts written before this package was sorted into rooms import them from here.
"""

from bnpg_math.policies.file import load_policy, save_policy
from bnpg_math.policies.joint import Policy, check_policy, policy_digest

__all__ = ["Policy", "check_policy", "load_policy", "policy_digest", "save_policy"]
