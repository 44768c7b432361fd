"""How much each caller may ask: requests, tokens, and requests under way. `stage.Limit` checks all limits, then takes all, in
one step, lets a request wait where its feature allows that, and settles by fact when it is over."""
