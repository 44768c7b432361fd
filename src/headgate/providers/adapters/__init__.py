"""One vendor each: where to call, how to show who is calling, which wires are spoken there. Known to `compose` alone."""
