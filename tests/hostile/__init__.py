"""Hostile tenants: everything that a namespace's user may write, handed to an operator that others need.

One operator process works for three namespaces of an embedded API server, which is a process of its own: MALLORY's, where the inputs go,
BYSTANDER's, where small runs are made all the time, and CROWN, which has nothing but secrets and is nobody's business. The oracles are
what the others see of it (`arena`).
"""
