"""Hostile tenants: everything that a namespace's user may write, given to an operator that others need.

One operator process serves three namespaces of an embedded API server, which is a process of its own: MALLORY's, where
the inputs go, BYSTANDER's, where small runs are created all the time, and CROWN, which contains only secrets that
nobody may read. The oracles check what the others notice (`arena`).
"""
