# SPDX-License-Identifier: Apache-2.0
import dataclasses
import urllib.parse
from typing import Any

import webob
from hypothesis import given, settings
from hypothesis import strategies as st
from oslo_config import cfg
from oslotest import base

from cg_extension import conf as cg_conf
from cg_extension.api import pagination, validation
from cg_extension.contract import context as cg_context
from cg_extension.contract import exceptions, records
from cg_extension.tests.unit.api import base as api_base

LISTING = pagination.Listing(
    "things",
    filters=("name", "status"),
    sort_keys=("created_at", "id", "name"),
    link_key="thing_links",
)
QUERY = validation.Query(LISTING.parameters)


class PaginationTestCase(base.BaseTestCase):
    def setUp(self) -> None:
        super().setUp()
        self.conf = cfg.ConfigOpts()
        cg_conf.register_opts(self.conf)
        self.conf([], default_config_files=[])

    def _request(self, query_string: str, *, is_admin: bool = False) -> webob.Request:
        req = webob.Request.blank("/v3/p/things")
        req.query_string = query_string
        req.environ[cg_context.ENVIRON_KEY] = cg_context.RequestContext(is_admin=is_admin)
        return req

    def _parse(self, query_string: str, **who: bool) -> records.ListQuery:
        req = self._request(query_string, **who)
        return LISTING.parse(req, QUERY.load(req), self.conf)


class ParseTest(PaginationTestCase):
    def _refused(self, query_string: str, *words: str) -> None:
        error = self.assertRaises(exceptions.InvalidInput, self._parse, query_string)
        for word in words:
            self.assertIn(word, error.msg)

    def test_nothing_asked_for_is_the_newest_first_page(self) -> None:
        self.assertEqual(records.ListQuery(limit=1000), self._parse(""))

    def test_limit_is_cut_to_the_configured_one(self) -> None:
        self.conf.set_override("osapi_max_limit", 10)
        for given_limit, limit in (("0", 0), ("3", 3), ("010", 10), ("11", 10), ("9" * 9999, 10)):
            self.assertEqual(limit, self._parse(f"limit={given_limit}").limit)

    def test_offset_stays_within_what_databases_take(self) -> None:
        for given_offset, offset in (("7", 7), (str(2**63), 2**63 - 1), ("9" * 9999, 2**63 - 1)):
            self.assertEqual(offset, self._parse(f"offset={given_offset}").offset)

    def test_limit_and_offset_are_whole_numbers(self) -> None:
        for name in ("limit", "offset"):
            for value in ("-1", "", "x", "1.5", "%2B1", "1_0", "%D9%A1", "0x1", "null", "1%0A"):
                with self.subTest(name=name, value=value):
                    self._refused(f"{name}={value}", name, "whole number")

    def test_sort_takes_keys_with_or_without_direction(self) -> None:
        for query_string in ("sort=name:asc,id", "sort=name:asc,id:desc", "sort=name:asc,%20id"):
            self.assertEqual((("name", "asc"), ("id", "desc")), self._parse(query_string).sort)

    def test_sort_key_and_sort_dir_are_paired(self) -> None:
        for query_string, sort in (
            ("sort_key=name", (("name", "desc"),)),
            ("sort_dir=asc", (("created_at", "asc"),)),
            ("sort_key=name&sort_dir=asc&sort_key=id", (("name", "asc"), ("id", "desc"))),
        ):
            self.assertEqual(sort, self._parse(query_string).sort)

    def test_a_key_twice_counts_once(self) -> None:
        self.assertEqual((("id", "asc"),), self._parse("sort=id:asc,id:desc").sort)

    def test_what_is_no_sort_is_refused(self) -> None:
        self._refused("sort=nmae", '"nmae"', "created_at, id, name")
        self._refused("sort=", "sort key")
        self._refused("sort=name:up", '"up"', "asc, desc")
        self._refused("sort_key=nmae", '"nmae"', "created_at, id, name")
        self._refused("sort_dir=up", '"up"', "asc, desc")
        self._refused("sort_dir=asc&sort_dir=asc", "more sort directions")
        self._refused("sort=name&sort_key=name", "can't be combined")

    def test_filters_and_marker_are_passed_on(self) -> None:
        query = self._parse("name=a%20b&status=&marker=m")
        self.assertEqual(({"name": "a b", "status": ""}, "m"), (query.filters, query.marker))

    def test_all_tenants_counts_for_an_administrator_alone(self) -> None:
        for value, counts in (("1", True), ("True", True), ("0", False), ("False", False)):
            query_string = f"all_tenants={value}"
            self.assertIs(counts, self._parse(query_string, is_admin=True).all_tenants)
            self.assertIs(False, self._parse(query_string).all_tenants)
        self._refused("all_tenants=some", "all_tenants", "boolean")

    @settings(deadline=None)
    @given(st.dictionaries(st.sampled_from([*LISTING.parameters, "x"]), st.text(max_size=20)))
    def test_any_query_is_parsed_or_refused(self, parameters: dict[str, str]) -> None:
        try:
            query = self._parse(urllib.parse.urlencode(parameters, errors="surrogatepass"))
        except exceptions.InvalidInput:
            return
        self.assertLessEqual(query.limit, self.conf.osapi_max_limit)
        self.assertLess(query.offset, 2**63)
        self.assertTrue(query.sort)


class LinksTest(PaginationTestCase):
    page: records.Page[Any] = records.Page((api_base.GROUP,), has_more=True)

    def _href(self, query_string: str = "limit=1", **request: Any) -> str:
        req = self._request(query_string)
        for name, value in request.items():
            setattr(req, name, value)
        document = LISTING.answer(req, self.page, [{}], self.conf)
        return document["thing_links"][0]["href"]

    def test_the_last_page_has_no_links(self) -> None:
        page = dataclasses.replace(self.page, has_more=False)
        self.assertEqual({"things": [{}]}, LISTING.answer(self._request(""), page, [{}], self.conf))

    def test_an_empty_page_has_no_links(self) -> None:
        page: records.Page[Any] = records.Page((), has_more=True)
        self.assertEqual({"things": []}, LISTING.answer(self._request(""), page, [], self.conf))

    def test_the_next_page_starts_after_the_last_row(self) -> None:
        self.assertEqual(
            f"http://localhost/v3/p/things?limit=1&marker={api_base.GROUP_ID}", self._href()
        )

    def test_clients_find_the_link_under_the_collections_own_name_too(self) -> None:
        document = LISTING.answer(self._request("limit=1"), self.page, [{}], self.conf)
        self.assertEqual(document["thing_links"], document["things_links"])
        self.assertEqual("next", document["thing_links"][0]["rel"])

    def test_the_rest_of_the_query_is_kept_and_what_was_skipped_is_not_skipped_again(self) -> None:
        href = self._href("sort=name:asc&name=%C3%A9%26&offset=5&marker=x&limit=1")
        query = urllib.parse.parse_qs(urllib.parse.urlparse(href).query)
        self.assertEqual(
            {"sort": ["name:asc"], "name": ["é&"], "limit": ["1"], "marker": [api_base.GROUP_ID]},
            query,
        )

    def test_the_link_starts_with_where_the_request_went(self) -> None:
        href = self._href(host="volume.example.org:8080", scheme="https", script_name="/volume")
        self.assertTrue(href.startswith("https://volume.example.org:8080/volume/v3/p/things?"))

    def test_the_public_endpoint_comes_first(self) -> None:
        self.conf.set_override("public_endpoint", "https://volume.example.org/")
        self.assertTrue(self._href().startswith("https://volume.example.org/v3/p/things?"))
