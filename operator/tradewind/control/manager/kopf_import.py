"""kopf without the kubernetes package: kopf loads it where it is installed, 19 MB, for objects that nobody here gives it."""

import sys

if "kubernetes" in sys.modules:
    import kopf
else:
    sys.modules["kubernetes"] = None  # type: ignore[assignment]
    try:
        import kopf
    finally:
        del sys.modules["kubernetes"]

__all__ = ["kopf"]
