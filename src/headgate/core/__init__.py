"""Words everybody shares: messages, events, usage, money, ids, clock, errors. Imports the standard library and msgspec."""
