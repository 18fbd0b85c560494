"""Work whose size tenants decide: run on the event loop in slices that take turns, and evaluated in a process of its own where it may
take long."""
