"""The degrade ladder: what a feature's user gets when every model has failed. Rungs in order; the first that can, answers."""
