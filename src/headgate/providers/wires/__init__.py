"""One upstream wire format each, pure: a `Wire` writes requests for a provider and reads what comes back.

`sse` splits event streams, `splicing` replaces a model's name in a body that passes otherwise untouched, `refusals`
tells a provider's errors apart; the other modules are the wires."""
