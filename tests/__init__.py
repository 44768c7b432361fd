"""The project's tests; a regular package, so that no installed `tests` folder can take its place."""
