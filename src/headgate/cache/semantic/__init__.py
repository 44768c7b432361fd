"""The same question in other words: who is near, whether it really asks the same, and how similar is similar enough."""
