"""The CEL engine within bounds: compiling, measuring, evaluating."""
