"""One package per engine, known to compose alone. No engine imports another."""
