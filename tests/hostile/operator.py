"""`python -m hostile.operator …`: `tradewind operator`, with a put-back fault where $HOSTILE_PLANT names one."""

import ctypes
import logging
import signal
import sys

from tradewind.cli.main import main

from hostile import plants

if __name__ == "__main__":
    ctypes.CDLL(None).prctl(1, signal.SIGKILL, 0, 0, 0)  # It ends with who has started it.
    logging.getLogger("hostile").warning("put back: %s", plants.put_back() or "nothing")
    main(sys.argv[1:])
