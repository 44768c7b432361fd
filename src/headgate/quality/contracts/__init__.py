"""Contracts: what a feature promises, measured against what happened.

`settings` is what is promised; `measuring` counts what kept a promise and what did not; `burn` tells how fast the budget of
errors goes; `judging` decides how each promise stands; `watching` tells of changes, once for all nodes."""
