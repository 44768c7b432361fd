"""Where things are kept: ports next to what they store; `backends/` has one package per engine, known to compose alone."""
