"""`python -m hostile.operator …`: `tradewind operator`, with the planted fault that $HOSTILE_PLANT names."""

import ctypes
import logging
import signal
import sys

from tradewind.cli.main import main

from hostile import plants

if __name__ == "__main__":
    ctypes.CDLL(None).prctl(1, signal.SIGKILL, 0, 0, 0)  # it ends with its parent
    logging.getLogger("hostile").warning("put back: %s", plants.put_back() or "nothing")
    main(sys.argv[1:])
