# SPDX-License-Identifier: Apache-2.0
import contextlib
import json
from typing import Any

import webob
from hypothesis import given, settings
from hypothesis import strategies as st
from oslotest import base

from cg_extension.api import validation
from cg_extension.contract import exceptions

LINE = {"type": "string", "maxLength": 5, "format": "line"}
SCHEMA = {
    "type": "object",
    "properties": {
        "thing": {
            "type": "object",
            "properties": {
                "name": LINE,
                "text": {"type": "string", "format": "text"},
                "id": {"type": "string", "format": "uuid"},
                "count": {"type": ["integer", "string"]},
                "mode": {"enum": ["ro", "rw"]},
            },
            "required": ["name"],
            "additionalProperties": False,
        }
    },
    "required": ["thing"],
    "additionalProperties": False,
}


def _request(raw: bytes = b"", content_type: str = "application/json") -> webob.Request:
    return webob.Request.blank("/", method="POST", body=raw, content_type=content_type)


class RefusalTestCase(base.BaseTestCase):
    def assert_refused(self, call: Any, *arguments: Any, words: tuple[str, ...] = ()) -> None:
        """Check that a call raises InvalidInput, saying each of ``words``."""
        error = self.assertRaises(exceptions.InvalidInput, call, *arguments)
        for word in words:
            self.assertIn(word, error.msg)


class ParseTest(RefusalTestCase):
    def test_json_is_taken_by_the_letter(self) -> None:
        for raw in (
            b"{",
            b"{'a': 1}",
            b'{"a": 1,}',
            b"\xff",
            b'\xef\xbb\xbf{"a": 1}',
            '{"a": 1}'.encode("utf-16"),
            b'{"a": NaN}',
            b'{"a": -Infinity}',
            b'{"a": 1e999}',
            b'{"a": "\x01"}',
            b'{"a": ' + b"9" * 5000 + b"}",
        ):
            with self.subTest(raw=raw[:20]):
                self.assert_refused(validation.parse, raw)

    def test_a_key_twice_is_refused(self) -> None:
        self.assert_refused(validation.parse, b'{"a": {"b": 1, "b": null}}', words=("twice",))

    def test_text_that_no_database_keeps_is_refused_wherever_it_stands(self) -> None:
        for raw in (
            rb'"\u0000"',
            rb'"\ud800"',
            rb'["\udfff"]',
            rb'{"a": {"b": ["\u0000"]}}',
            rb'{"\u0000": 1}',
            rb'{"a": {"\ud83d": 1}}',
        ):
            with self.subTest(raw=raw):
                self.assert_refused(validation.parse, raw, words=("surrogates",))

    def test_characters_beyond_the_bmp_are_text(self) -> None:
        self.assertEqual(
            ["\U0001f600"] * 2, validation.parse(rb'["\ud83d\ude00", "%s"]' % "😀".encode())
        )

    def test_depth_has_a_bound(self) -> None:
        within = b"[" * (validation.MAX_DEPTH - 1) + b"]" * (validation.MAX_DEPTH - 1)
        validation.parse(within)
        for depth in (validation.MAX_DEPTH + 1, 100_000):
            raw = b'{"a":' * depth + b"1" + b"}" * depth
            self.assert_refused(validation.parse, raw)

    def test_a_key_whose_value_is_null_is_absent_at_every_depth(self) -> None:
        raw = b'{"a": null, "b": {"c": null, "d": [{"e": null}]}}'
        self.assertEqual({"b": {"d": [{}]}}, validation.parse(raw))

    @settings(deadline=None)
    @given(st.binary(max_size=200))
    def test_no_bytes_do_more_than_be_refused(self, raw: bytes) -> None:
        with contextlib.suppress(exceptions.InvalidInput):
            validation.parse(raw)

    @settings(deadline=None)
    @given(
        st.recursive(st.none() | st.booleans() | st.integers() | st.text(), lambda x: st.lists(x))
    )
    def test_what_is_accepted_comes_out_as_it_was(self, document: Any) -> None:
        try:
            self.assertEqual(document, validation.parse(json.dumps(document).encode()))
        except exceptions.InvalidInput:
            self.assertTrue("\\u" in json.dumps(document) or "[" * 16 in json.dumps(document))


class BodyTest(RefusalTestCase):
    def setUp(self) -> None:
        super().setUp()
        self.body = validation.Body(SCHEMA)

    def _refused(self, thing: Any, *words: str) -> None:
        raw = json.dumps({"thing": thing}).encode()
        self.assert_refused(self.body.load, _request(raw), words=words)

    def test_a_body_that_fits_comes_without_nulls(self) -> None:
        raw = b'{"thing": {"name": "x", "text": null, "unknown": null}}'
        self.assertEqual({"thing": {"name": "x"}}, self.body.load(_request(raw)))

    def test_a_body_is_needed_unless_it_is_optional(self) -> None:
        self.assert_refused(self.body.load, _request(), words=("body is needed",))
        self.assertEqual({}, validation.Body({}, optional=True).load(_request()))

    def test_the_body_must_be_an_object(self) -> None:
        for raw in (b"null", b"[]", b"1", b'"thing"', b"true"):
            self.assert_refused(self.body.load, _request(raw), words=("JSON object",))

    def test_media_types_and_charsets_are_compared_as_http_has_it(self) -> None:
        raw = b'{"thing": {"name": "x"}}'
        for good in (
            "",
            "APPLICATION/JSON",
            "application/Json;charset=utf-8",
            'application/JSON; Charset="UTF-8"',
            "application/json ; charset = utf-8",
            "application/json; charset=UTF8; x=y",
            "application/json; x=y",
            "application/json;",
            "application/json; charset=us-ascii",
            "Application/Vnd.OpenStack.Volume+JSON;version=3",
        ):
            with self.subTest(content_type=good):
                request = _request(raw)
                request.environ["CONTENT_TYPE"] = good
                self.assertEqual({"thing": {"name": "x"}}, self.body.load(request))
        for bad in (
            "application/json; charset=latin-1",
            'application/json; charset="UTF-16"',
            "application/jsonp",
            "application/xml; a=application/json",
            "application/json; charset=utf-8\xe9",
            "application/json; charset=\xff",
            "application/json; charset*=utf-8'';charset*0=x",
            "text/json",
            "json",
            "/",
            ";",
        ):
            with self.subTest(content_type=bad):
                request = _request(raw)
                request.environ["CONTENT_TYPE"] = bad
                self.assert_refused(self.body.load, request, words=("Content-Type",))

    def test_the_content_type_must_be_json_when_it_is_given(self) -> None:
        raw = b'{"thing": {"name": "x"}}'
        for good in ("application/json", "application/json; charset=utf-8", ""):
            self.body.load(_request(raw, good))
        for bad in ("text/plain", "application/x-www-form-urlencoded", "application/xml"):
            self.assert_refused(self.body.load, _request(raw, bad), words=("Content-Type", bad))

    def test_messages_say_what_would_be_right(self) -> None:
        self.assert_refused(self.body.load, _request(b"{}"), words=("must have thing",))
        self.assert_refused(
            self.body.load, _request(b'{"x": 1, "thing": {"name": ""}}'), words=('"x"', "thing")
        )
        self._refused([], "thing must be an object", "[]")
        self._refused({}, "thing must have name")
        self._refused({"name": 1}, "name must be a string", "1")
        self._refused({"name": "abcdef"}, "at most 5 characters", "it has 6")
        self._refused({"name": "x", "count": 1.5}, "an integer or a string", "1.5")
        self._refused({"name": "x", "id": "y"}, "id must be a UUID")
        self._refused({"name": "x", "mode": "w"}, "mode must be one of ro, rw")
        self._refused(
            {"name": "x", "nmae": 1, "a": 2}, '"a", "nmae"', "count, id, mode, name, text"
        )

    def test_messages_about_numbers_and_keys_say_what_would_be_right(self) -> None:
        keys = {"propertyNames": {"minLength": 1, "maxLength": 2, "format": "line"}}
        body = validation.Body(
            {
                "properties": {
                    "size": {"type": ["integer", "string"], "minimum": 1, "maximum": 9},
                    "digits": {"format": "digits"},
                    "off": {"enum": [False]},
                    "pairs": keys,
                    "one": {"maxProperties": 1, "properties": {"a": {}, "b": {}}},
                    "any": {"maxProperties": 1},
                }
            }
        )
        for document, message in (
            ({"size": 0}, "size must be at least 1 and at most 9; it is 0."),
            ({"size": 10}, "size must be at least 1 and at most 9; it is 10."),
            ({"digits": "x"}, 'digits must be a whole number of at most 10 digits; it is "x".'),
            ({"off": True}, "off must be false; it is true."),
            ({"pairs": {"": 1}}, "a key of pairs must not be empty."),
            ({"pairs": {"abc": 1}}, "a key of pairs must have at most 2 characters; it has 3."),
            ({"pairs": {"\n": 1}}, "a key of pairs must be text without control characters"),
            ({"one": {"a": 1, "b": 2}}, "one must have only one of a, b."),
            ({"any": {"a": 1, "b": 2}}, "any must have only one key."),
        ):
            raw = json.dumps(document).encode()
            self.assert_refused(body.load, _request(raw), words=(message,))

    def test_a_line_has_no_control_characters(self) -> None:
        for character in "\n\t\r\x1b\x7f\x85":
            self._refused({"name": character}, "without control characters")

    def test_a_text_may_have_line_breaks_and_tabs(self) -> None:
        raw = json.dumps({"thing": {"name": "x", "text": "a\n\tb\r\n"}}).encode()
        self.body.load(_request(raw))
        self._refused({"name": "x", "text": "\x1b[31m"}, "other than line breaks and tabs")

    def test_outer_blanks_are_no_part_of_text_marked_so_and_do_not_count(self) -> None:
        schema = {"properties": {"name": {"strip": True, "format": "line", "maxLength": 3}}}
        body = validation.Body({"properties": {"thing": schema}})
        for name in ("a b", "  a b", "a b\u2003", "\u00a0 a b\u3000", " " * 300 + "a b "):
            raw = json.dumps({"thing": {"name": name, "text": name}}).encode()
            self.assertEqual({"thing": {"name": "a b", "text": name}}, body.load(_request(raw)))
        for name in ("a\n", "\ta", "a\x85", " \x1f"):
            raw = json.dumps({"thing": {"name": name}}).encode()
            self.assert_refused(body.load, _request(raw), words=("control characters",))

    def test_a_long_value_is_cut_in_the_message(self) -> None:
        error = self.assertRaises(
            exceptions.InvalidInput,
            self.body.load,
            _request(json.dumps({"thing": "x" * 10_000}).encode()),
        )
        self.assertLess(len(error.msg), 300)


class QueryTest(RefusalTestCase):
    def setUp(self) -> None:
        super().setUp()
        self.query = validation.Query({"name": {"type": "array", "maxItems": 1}, "key": {}})

    def _load(self, query_string: str) -> dict[str, list[str]]:
        req = webob.Request.blank("/")
        req.query_string = query_string
        return self.query.load(req)

    def test_values_are_collected_in_order(self) -> None:
        self.assertEqual({"key": ["b", "a"], "name": [""]}, self._load("key=b&name=&key=a"))

    def test_utf8_may_be_escaped_or_not(self) -> None:
        self.assertEqual({"name": ["é"]}, self._load("name=%C3%A9"))
        self.assertEqual(
            {"name": ["é"]}, self._load("é".encode().decode("latin-1").join(("name=", "")))
        )

    def test_an_unknown_parameter_is_named_and_so_are_those_known(self) -> None:
        self.assert_refused(
            self._load, "nmae=x", words=("parameters", '"nmae"', "those known are key, name")
        )

    def test_a_call_without_parameters_says_so(self) -> None:
        req = webob.Request.blank("/?a=1")
        self.assert_refused(validation.Query({}).load, req, words=('"a"', "none is taken"))

    def test_a_single_value_must_be_single(self) -> None:
        self.assert_refused(self._load, "name=a&name=b", words=("name must be given only once",))

    def test_what_is_no_text_is_refused(self) -> None:
        for query_string in ("name=%00", "%00=1", "name=%ED%A0%80", "name=%FF", "name=\xff"):
            with self.subTest(query_string=query_string):
                self.assert_refused(self._load, query_string)

    def test_the_number_of_parameters_has_a_bound(self) -> None:
        self.assert_refused(self._load, "key=1&" * 101, words=("at most 100",))


class BooleanTest(RefusalTestCase):
    def test_oslos_words_are_booleans(self) -> None:
        for word in ("1", "true", "True", "yes", "ON", "t", True):
            self.assertIs(True, validation.boolean("force", word))
        for word in ("0", "false", "No", "off", "f", False):
            self.assertIs(False, validation.boolean("force", word))

    def test_anything_else_is_refused(self) -> None:
        for word in ("", "2", "maybe", "null"):
            self.assert_refused(validation.boolean, "force", word, words=("force", "boolean"))
