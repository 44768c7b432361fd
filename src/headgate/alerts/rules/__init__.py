"""Rules: somebody is told when a number that is watched passes what was agreed on, and when it is back.

`settings` is what a rule says; `metrics` what it may watch; `reading` asks the rollups, never the requests; `judging` decides how
each thing stands; `watching` does that again and again, once for all nodes; `preview` tells what a rule would have done."""
