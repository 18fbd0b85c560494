"""The memory of runs: what has ended is kept in a store that outlives the objects."""
