"""An API server in one process: enough of Kubernetes for the operator, for kubectl, and for tests that need faults on
demand."""

from tradewind.local.apiserver.faults import Fault, Faults
from tradewind.local.apiserver.server import ApiServer

__all__ = ["ApiServer", "Fault", "Faults"]
