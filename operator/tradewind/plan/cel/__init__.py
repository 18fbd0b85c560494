"""The CEL engine within bounds: compiled, measured, evaluated."""
