"""Work whose size tenants decide: it runs on the event loop in slices that take turns, and expressions that may take long run in a separate
process."""
