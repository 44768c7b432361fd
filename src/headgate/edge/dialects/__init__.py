"""The formats callers speak: each module reads its vendor's requests and writes its replies, pure and stateless.

A dialect imports no dialect. `sse` and `reading` are what all of them are made of, `headgate.edge.problems` says how
an error looks in each. To serve a path, take the instance of the dialect's class and see `exchange.dialect.Dialect`.
"""
