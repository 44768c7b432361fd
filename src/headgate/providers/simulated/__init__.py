"""A provider that is not there: real wire bytes, repeatable answers, latencies, prices and faults on command."""
