"""For our tests and for plugin authors: a scripted upstream, a clock that is moved by hand, a gateway without a network."""
