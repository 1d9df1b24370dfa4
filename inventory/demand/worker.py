"""A process that works on partitions: packages come in on stdin and go out on stdout.

It is started by `engine.Pool` and imports no more than the steps need.
"""

from core.children import serve
from core.packing import packed
from core.pipes import Pieces
from inventory.demand.packing import unpack
from inventory.demand.steps import work


def answer(content: memoryview) -> Pieces:
    """Returns what a step makes of a partition, both packed."""
    step, shop, shared, own = unpack(content)
    return packed(work(step, shop, shared, own))


if __name__ == "__main__":
    serve(answer)
