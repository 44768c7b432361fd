"""The description is of what is served: types, rights, problems; for programs and for people."""

from __future__ import annotations

import json
import re
from html.parser import HTMLParser
from typing import Any

import pytest

from headgate.admission.rights import OPEN, RIGHTS, allowed_roles
from headgate.control.http.openapi import description
from headgate.control.http.page import page
from headgate.control.http.problems import PROBLEMS
from headgate.control.http.routes import ROUTES
from tests.support.aio import aio
from tests.support.operating import Operating

__all__: list[str] = []

TOLD = description(ROUTES)


def refs(value: Any) -> set[str]:
    if isinstance(value, dict):
        return {str(value["$ref"])} if "$ref" in value else set().union(*map(refs, value.values()))
    return set().union(*map(refs, value)) if isinstance(value, list) else set()


def test_the_routes_are_those_of_the_table_of_rights() -> None:
    """Neither has one that the other has not; no two routes have a name."""
    names = [route.name for route in ROUTES]
    assert len(names) == len(set(names))
    assert set(names) == {name for name in RIGHTS if name.startswith("api.")}
    assert len({(route.method, route.path) for route in ROUTES}) == len(ROUTES)


def test_every_route_is_described_with_its_roles() -> None:
    """And with nothing missing that it refers to."""
    described = {
        (method.upper(), path): each
        for path, methods in TOLD["paths"].items()
        for method, each in methods.items()
    }
    assert set(described) == {(route.method, route.path) for route in ROUTES}
    for route in ROUTES:
        each = described[route.method, route.path]
        assert each["x-roles"] == list(allowed_roles(route.name)) != []
        assert each["summary"].endswith((".", "this once."))
    for ref in refs(TOLD):
        assert ref.removeprefix("#/components/schemas/") in TOLD["components"]["schemas"]


def test_every_code_that_is_described_is_one_and_all_are_told() -> None:
    """With their statuses."""
    assert set(TOLD["x-problems"]) == set(PROBLEMS)
    for methods in TOLD["paths"].values():
        for each in methods.values():
            for status, answer in each["responses"].items():
                if status[0] in "45":
                    for code in re.findall(r"(?:^|; )(\w+):", answer["description"]):
                        assert PROBLEMS[code].status == int(status)


def test_every_type_says_what_it_is() -> None:
    """And each parameter what it means."""
    assert all(schema["description"].endswith(".") for schema in TOLD["components"]["schemas"].values())
    for methods in TOLD["paths"].values():
        for each in methods.values():
            assert all(one["description"] for one in each["parameters"] if one["in"] == "query")


def test_a_parameter_that_may_be_left_out_takes_no_null() -> None:
    """There is none in a query."""
    assert "null" not in str([each["parameters"] for one in TOLD["paths"].values() for each in one.values()])


class Reader(HTMLParser):
    """Collects ids, what is linked to, and what would be run or fetched."""

    def __init__(self) -> None:
        super().__init__()
        self.ids: set[str] = set()
        self.links: set[str] = set()
        self.fetched: set[str] = set()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        assert tag not in ("script", "style", "img", "iframe") and "style" not in given
        self.ids |= {given["id"]} if "id" in given else set()
        if tag == "a":
            self.links.add(given["href"])
        elif "href" in given:
            self.fetched.add(given["href"])


@aio
async def test_people_get_a_page_that_needs_nothing_from_elsewhere() -> None:
    """No script, no foreign address; every link leads to something that is on it or served here."""
    told = await Operating().ask("GET", "/api/docs", key="")
    assert told.status == 200 and told.headers["content-type"].startswith("text/html")
    assert "script" not in told.headers["content-security-policy"].replace("default-src 'none'", "")
    reader = Reader()
    reader.feed(told.body.decode())
    assert reader.fetched == {"/page.css", "data:,"}
    inside = {link[1:] for link in reader.links if link.startswith("#")}
    assert inside <= reader.ids and reader.links - {f"#{each}" for each in inside} == {"/api/openapi.json"}
    assert set(PROBLEMS) <= reader.ids


@aio
async def test_the_description_is_served_to_everybody_and_to_reading_methods_only() -> None:
    """It tells nothing that is anybody's."""
    there = Operating()
    for path in ("/api/openapi.json", "/api/docs"):
        assert f"GET {path}" in OPEN
        assert (await there.ask("GET", path, key="")).status == 200
        assert (await there.ask("HEAD", path, key="")).body == b""
        assert (await there.ask("OPTIONS", path, key="")).headers["allow"] == "GET, HEAD, OPTIONS"
        refused = await there.ask("POST", path, {}, key="")
        assert (refused.status, refused.headers["allow"]) == (405, "GET, HEAD, OPTIONS")
    assert (await there.ask("GET", "/api/openapi.json", key="")).json == json.loads(json.dumps(TOLD))


@pytest.mark.parametrize("name", ["<script>", "a&b", '"'])
def test_what_comes_from_outside_is_escaped(name: str) -> None:
    """Though today nothing does."""
    told = {**TOLD, "info": {"description": name}}
    assert "<script>" not in page(told)
