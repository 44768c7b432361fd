"""Somebody is told when something begins that they should know of: once, whatever node noticed it, and again if it did not arrive.

`telling` takes what rooms notice and keeps it; `courier` delivers what is kept; `post` and `mail` carry it; `spend` notices
spending that is not usual. Nothing here is on the way of a request, and nothing here makes one wait."""
