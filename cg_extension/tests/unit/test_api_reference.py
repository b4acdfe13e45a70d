# SPDX-License-Identifier: Apache-2.0
"""The API reference tells of what the code has, all of it and nothing else.

What a difference looks like when there is one is tried on copies of the reference.
"""

import pathlib
import shutil

import fixtures
from oslotest import base

from cg_extension.tests.api_reference import comparison, reference, story

# Document, what stands there, what takes its place, and words of the difference. In a copy of the
# reference only the first place is changed.
CHANGES = {
    "a call that is missing": (
        "consistencygroups.rst",
        ".. rest_method:: PUT /v3/{project_id}/consistencygroups/{consistencygroup_id}\n",
        "",
        ("PUT /v3/{}/consistencygroups/{} is not in the reference",),
    ),
    "another path": (
        "cgsnapshots.rst",
        "GET /v3/{project_id}/cgsnapshots\n",
        "GET /v3/{project_id}/cg_snapshots\n",
        ("the code has no GET /v3/{}/cg_snapshots", "GET /v3/{}/cgsnapshots is not in"),
    ),
    "another method": (
        "services.rst",
        "PUT /v3/{project_id}/os-services/thaw",
        "POST /v3/{project_id}/os-services/thaw",
        ("the code has no POST /v3/{}/os-services/thaw",),
    ),
    "a query parameter too few": (
        "volumes.rst",
        "   - source_volid: source_volid_filter\n",
        "",
        ("List volumes: the reference lacks query parameter source_volid",),
    ),
    "a query parameter too many": (
        "types.rst",
        "   - is_public: is_public_filter\n",
        "   - is_public: is_public_filter\n   - status: status_filter\n",
        ("List volume types: the code has no query parameter status",),
    ),
    "a parameter of the path too few": (
        "snapshots.rst",
        "   - key: metadata_key_path\n",
        "",
        ("the reference lacks parameter of the path key",),
    ),
    "a key of the body too few": (
        "consistencygroups.rst",
        "   - remove_volumes: remove_volumes\n",
        "",
        ("the reference lacks key of the body remove_volumes",),
    ),
    "a key of the body too many": (
        "cgsnapshots.rst",
        "   - consistencygroup_id: consistencygroup_id_request\n",
        "   - consistencygroup_id: consistencygroup_id_request\n   - force: force_snapshot\n",
        ("Create a group snapshot: the code has no key of the body force",),
    ),
    "a success status": (
        "consistencygroups.rst",
        "   - 202\n",
        "   - 200\n",
        ("the reference lacks success status 202", "the code has no success status 200"),
    ),
    "an error too few": (
        "types.rst",
        "   - 409: Conflict\n",
        "",
        ("Create a volume type: the reference lacks error 409 Conflict",),
    ),
    "an error too many": (
        "quotas.rst",
        "   - 403: Forbidden\n",
        "   - 403: Forbidden\n   - 409: Conflict\n",
        ("Show quotas: the code has no error 409 Conflict",),
    ),
    "an error of any call": (
        "index.rst",
        "   - 406: NotAcceptable\n",
        "",
        ("the reference lacks error 406 NotAcceptable",),
    ),
    "the name of a fault": (
        "index.rst",
        "``badMethod``            405",
        "``badMethods``           405",
        ("the names of faults are",),
    ),
    "a sort key": (
        "volumes.rst",
        "``size``, ",
        "",
        ("List volumes: the reference lacks sort key size",),
    ),
    "a policy rule": (
        "consistencygroups.rst",
        "Policy: ``consistencygroup:get_all``.",
        "Policy: ``consistencygroup:get``.",
        ("the reference lacks policy rule consistencygroup:get_all",),
    ),
    "a key of the answer too few": (
        "volumes.rst",
        "   - bootable: bootable\n",
        "",
        ("volumes/list-detail: the answer has bootable",),
    ),
    "a key of the answer too many": (
        "consistencygroups.rst",
        "   - volume_types: volume_types\n",
        "   - volume_types: volume_types\n   - size: size\n",
        ("the answer lacks size",),
    ),
    "an optional key of answers that none has": (
        "cgsnapshots.rst",
        "   - status_reason: status_reason\n",
        "   - status_reason: status_reason\n   - os-vol-host-attr:host: host_attribute\n",
        ("no answer in the samples has os-vol-host-attr:host",),
    ),
    "a key of a sample's request": (
        "samples/volumes/create-request.json",
        '"size"',
        '"sise"',
        ("volumes/create: the request has sise",),
    ),
    "a sample that nobody shows": (
        "discovery.rst",
        ".. literalinclude:: samples/discovery/extension-response.json\n",
        "",
        ("no call has this sample", "Show an extension: no sample of an answer"),
    ),
    "a parameter that no call has": (
        "parameters.yaml",
        "\nalias_path:\n",
        "\naardvark_path:\n  in: path\n  type: string\n  required: true\n\nalias_path:\n",
        ("no call has the parameter aardvark_path",),
    ),
    "a reason that no call has": (
        "http-status.yaml",
        "401:\n",
        "401:\n  Unknown: |\n    Nobody knows.\n",
        ("no call answers 401 for the reason Unknown",),
    ),
}
# Of parameters.yaml, by key: what is said of it, what takes its place, words of the difference.
OF_PARAMETERS = {
    "force_delete_group": ("boolean", "integer", "force is of type boolean or string, not integer"),
    "volume_types_request": ("true", "false", "volume_types is required"),
    "add_volumes": ("false", "true", "add_volumes is optional"),
    "limit": ("false", "true", "query parameter limit can't be required"),
    "size": ("integer", "string", "size of the answer is of type integer, not string"),
}


def _found(source: pathlib.Path) -> list[str]:
    return [str(each) for each in comparison.differences(reference.Reference(source))]


class ReferenceTest(base.BaseTestCase):
    def test_the_reference_and_the_code_have_the_same(self) -> None:
        self.assertEqual([], _found(reference.SOURCE))

    def test_every_exchange_of_the_reference_is_sent(self) -> None:
        exchanges = {each.name for call in reference.read().calls for each in call.exchanges}
        self.assertEqual(exchanges, {step.exchange for step in story.STORY})

    def _copy(self) -> pathlib.Path:
        directory = pathlib.Path(self.useFixture(fixtures.TempDir()).path, "source")
        shutil.copytree(reference.SOURCE, directory)
        return directory

    def test_whatever_is_changed_in_the_reference_is_found(self) -> None:
        source = self._copy()
        for what, (name, old, new, words) in CHANGES.items():
            with self.subTest(what):
                self._assert_found(source / name, old, new, words)

    def test_types_and_needs_of_parameters_are_found(self) -> None:
        source = self._copy()
        file = source / "parameters.yaml"
        for key, (old, new, word) in OF_PARAMETERS.items():
            with self.subTest(key):
                entry = file.read_text().partition(f"\n{key}:\n")[2].partition("\n\n")[0]
                entry = entry[: entry.index("  type: ") + 20]
                self._assert_found(file, entry, entry.replace(f": {old}", f": {new}", 1), (word,))

    def _assert_found(self, path: pathlib.Path, old: str, new: str, words: tuple[str, ...]) -> None:
        text = path.read_text()
        self.assertIn(old, text)
        path.write_text(text.replace(old, new, 1))
        found = "\n".join(_found(next(p for p in path.parents if p.name == "source")))
        path.write_text(text)
        for word in words:
            self.assertIn(word, found)
