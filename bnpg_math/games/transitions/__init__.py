"""Transition kernels P(s'|s, a), each in the form its structure allows.

`interface` says what a kernel can do; `dense`, `sparse`, `stateless` and `product` do it.
"""
