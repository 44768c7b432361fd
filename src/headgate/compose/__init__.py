"""Settings in, a running gateway out; the one place that knows every concrete class.

`gateway` puts together what the other modules build. Nothing is imported here: the record writer's process needs few of them.
"""
