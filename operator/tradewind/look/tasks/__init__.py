"""The tasks of a run: as columns, where their time went, and why each is where it is."""
