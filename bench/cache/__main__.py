"""`python -m bench.cache`."""

from __future__ import annotations

import sys

from bench.cache.run import main

sys.exit(main())
