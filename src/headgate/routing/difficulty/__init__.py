"""How hard is a request? Signals anybody can follow, or a model learned from outcomes; both answer the same question."""
