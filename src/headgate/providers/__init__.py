"""How a model is reached: `port` (the promises), `transport` (connections, bytes), `wires` (one upstream wire format
each, pure), `adapters` (one vendor each: where, signed how, which wires), `catalog` (prices), `simulated`."""
