"""A process that works on partitions: packages come in on stdin and go out on stdout.

It is started by `engine.Pool` and imports no more than the steps need. An error ends it: the
process that asked then does the work itself and meets the error where it can be told.
"""

import os
import signal

from inventory.demand.packing import packed, unpack
from inventory.demand.pipes import received, send
from inventory.demand.steps import work


def main() -> None:
    """Answers packages until there are no more."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C ends the parent, which then ends this
    with os.fdopen(os.dup(0), "rb", 0) as asked, os.fdopen(os.dup(1), "wb", 0) as answers:
        os.dup2(2, 1)  # whatever a library prints is no answer
        while (content := received(asked)) is not None:
            step, shop, shared, own = unpack(content)
            send(answers, packed(work(step, shop, shared, own)))


if __name__ == "__main__":
    main()
