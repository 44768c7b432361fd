"""The pages, a module each. To add one:

1. `dashboard/pages/NAME.py`:

       async def show(asked: Looking) -> Shown:
           query = asked.queried(TracesQuery)                       # the query as a struct of /api's; raises Problem
           found = await list_requests(asked.asked(query))          # the handler of /api itself: same rights, same limits
           return Shown("NAME.html", {"title": "Traces", "found": found})

       PAGES = (page("GET", "/NAME", "api.requests.list", show),)

   A handler is given a `Looking` (`dashboard/looking.py`): `desk` (as /api's handlers), `viewer` (`.may(right)`), `path`, `query`,
   `form`, `lists`, `now_ns`, `stretch` (the time that is looked at: `.since`, `.until`, `.step` in seconds). It gives back
   `Shown(template, values)`, `Data(value)` (JSON), `Raw(body, kind, filename)` or `Redirect("/path", notice="Done.")`.
   A `Problem` (as /api raises) or StoreError becomes a page in words. Numbers come from `control/`, tested there without HTML.
2. `dashboard/templates/NAME.html`, which extends `base.html`: blocks `content` and, for buttons beside the heading, `actions`. There
   are the filters of `dashboard/wording.py` (`number usd seconds duration percent bytes moment clock iso ago day words
   request_id`) and the functions `keep(path, name=value…)` (an address with parameters changed; without a path this one's; with
   one, the time is taken along), `plot("/plots/NAME", "Title")`, `csrf()` (in each form), `may("right")`, `static("app.css")`.
   Macros: `{% import "parts.html" as parts %}`: `parts.card`, `parts.outcome`, `parts.copy`, `parts.empty`, `parts.stamp`.
   `{% include "range.html" %}` puts the control of the time. A name that is not given is an error: pass all of them
   (structs and dataclasses are read by field; a NamedTuple is a list to templates).
3. Forms: `method="post"` with `{{ csrf() }}`; the handler is a `page("POST", …)` with the right of the /api route that does the
   same; `asked.filled(NewKey)` is the form as that route's body. Then `Redirect`. `data-confirm="Really?"` on a button asks first.
4. Plots: `Data({"title", "unit", "x": [seconds], "series": [{"name", "y": [...]}], "marks": [{"at", "text", "kind"}],
   "drill": "/traces?from={from}&to={to}"})`; units: `""`, `s`, `us`, `usd`, `nanos`, `share`, `bytes`, `per_s`. `"stacked": true` and
   `"zero": false` are understood. None is a gap.
5. What renews itself: `id="live" data-live="5"` on an element: every 5 seconds the page is asked for again and the element
   replaced. It pauses while the tab is hidden or somebody has pressed Pause, works in or has selected something inside.
6. Add the module to `ALL` below, and its place to `NAVIGATION` in `dashboard/rendering.py` if it is not there.

No inline script, no inline style (use classes of `static/app.css`, or attributes of <svg>, <meter>, <progress>); every table in
`<div class="wide" tabindex="0">` with `<caption>` and `scope`; each empty state says what to do. `tests/browser/` walks all GET pages
without braces, and those with an `example`, by itself.
"""

from __future__ import annotations

from headgate.dashboard.looking import Page
from headgate.dashboard.pages import (
    alerts,
    cache,
    cost,
    features,
    keys,
    overview,
    quality,
    replays,
    settings,
    traces,
)

__all__ = ["ALL"]

ALL: tuple[Page, ...] = (
    *overview.PAGES,
    *cost.PAGES,
    *quality.PAGES,
    *cache.PAGES,
    *keys.PAGES,
    *settings.PAGES,
    *replays.PAGES,
    *alerts.PAGES,
    *features.PAGES,
    *traces.PAGES,
)
