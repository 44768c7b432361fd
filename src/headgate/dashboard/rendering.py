"""Templates to pages. Whatever is filled in is escaped; what a template asks for and is not there is an error, not a gap."""

from __future__ import annotations

from collections.abc import Mapping
from html import escape
from importlib.resources import files
from typing import Any
from urllib.parse import urlencode

from headgate import __version__
from headgate.dashboard.files import StaticFiles
from headgate.dashboard.looking import Looking, Shown, Viewer
from headgate.dashboard.stretch import RANGES
from headgate.dashboard.wording import FILTERS

__all__ = ["NAVIGATION", "Renderer"]

NAVIGATION = (
    ("/", "Overview", "dashboard"),
    ("/traces", "Traces", "api.requests.list"),
    ("/cost", "Cost", "api.costs.show"),
    ("/cache", "Cache", "api.cache.report"),
    ("/quality", "Quality", "api.quality.show"),
    ("/features", "Features", "dashboard"),
    ("/alerts", "Alerts", "api.alerts.list"),
    ("/keys", "Keys and people", "api.keys.list"),
    ("/settings", "Settings", "api.config.show"),
)
"""(path, name, right), in order. Shown are those that there are and that the viewer may see."""


class Renderer:
    """Fills templates. They are read when they are first needed."""

    def __init__(self, static: StaticFiles, paths: frozenset[str]) -> None:
        """paths: the pages that there are."""
        self._static = static
        self._paths = paths
        self._environment: Any = None

    def page(self, shown: Shown, looking: Looking, *, notice: str = "") -> str:
        """The whole page, for somebody who was let in."""
        return self._render(shown, looking, notice)

    def _render(self, shown: Shown, looking: Looking, notice: str) -> str:
        if self._environment is None:
            self._environment = _environment()
        viewer: Viewer = looking.viewer
        here = looking.url

        def keep(path: str = "", **changes: object) -> str:
            """The address of this page, or of another one, with these parameters changed; None or "" leaves one out."""
            kept = dict(looking.query) if not path else dict(looking.stretch.query)
            kept.update(
                {name.rstrip("_"): "" if value is None else str(value) for name, value in changes.items()}
            )
            text = urlencode({name: value for name, value in kept.items() if value != ""})
            return f"{path or here}?{text}" if text else path or here

        def plot(path: str, title: str, *, tall: bool = False, spark: bool = False, **more: object) -> Any:
            """A figure that is drawn from the JSON at `path`, for the time this page looks at."""
            kind = " tall" if tall else " spark" if spark else ""
            return _safe(
                f'<figure class="plot{kind}" data-plot="{escape(keep(path, **more))}">'
                f"<figcaption>{escape(title)}</figcaption></figure>"
            )

        def csrf() -> Any:
            """The hidden field of each form."""
            return _safe(f'<input type="hidden" name="csrf" value="{escape(viewer.csrf)}">')

        values: dict[str, Any] = {
            "title": "Headgate",
            **shown.values,
            "viewer": viewer,
            "may": viewer.may,
            "here": here,
            "query": dict(looking.query),
            "stretch": looking.stretch,
            "ranges": list(RANGES),
            "address": looking.address,
            "navigation": self._navigation(viewer, here),
            "notice": notice,
            "version": __version__,
            "keep": keep,
            "plot": plot,
            "csrf": csrf,
            "static": self._static.url,
        }
        text: str = self._environment.render_template(shown.template, **values)
        return text

    def _navigation(self, viewer: Viewer, here: str) -> list[Mapping[str, object]]:
        return [
            {
                "path": path,
                "name": name,
                "here": here == path or (path != "/" and here.startswith(f"{path}/")),
            }
            for path, name, right in NAVIGATION
            if path in self._paths and viewer.may(right)
        ]


def _safe(text: str) -> Any:
    from minijinja import safe  # noqa: PLC0415 - nobody pays for it who looks at no page

    return safe(text)


def _environment() -> Any:
    from minijinja import Environment  # noqa: PLC0415 - as above

    made = Environment(loader=_template, undefined_behavior="strict", trim_blocks=True, lstrip_blocks=True)
    # Everything is HTML here, whatever its name.
    made.auto_escape_callback = lambda _: True
    made.reload_before_render = False
    for name, filter_ in FILTERS.items():
        made.add_filter(name, filter_)
    return made


def _template(name: str) -> str | None:
    place = files("headgate.dashboard").joinpath("templates").joinpath(name)
    return place.read_text(encoding="utf-8") if "/" not in name and place.is_file() else None
