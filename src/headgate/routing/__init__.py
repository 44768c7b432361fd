"""Which endpoints may serve a request, best first. Pure: no I/O, no clock, no chance."""
