# SPDX-License-Identifier: Apache-2.0
"""Tests of metadata, of both kinds of resources that have it, on every database."""

from collections.abc import Mapping

from cg_extension.contract import exceptions
from cg_extension.reference.service import metadata
from cg_extension.tests.unit.reference.service import base


class MetadataTest(base.ServiceTestCase):
    def setUp(self) -> None:
        super().setUp()
        pairs = {"a": "1", "b": "2"}
        volume = self.volume(metadata=pairs)
        self.ids = {
            metadata.VOLUME: volume.id,
            metadata.SNAPSHOT: self.snapshot(volume, metadata=pairs).id,
        }

    def _found(self, kind: metadata.Kind) -> Mapping[str, str]:
        get = {
            metadata.VOLUME: self.service.get_volume,
            metadata.SNAPSHOT: self.service.get_snapshot,
        }
        return get[kind](self.member, self.ids[kind]).metadata

    def test_pairs_are_set_beside_the_others_or_in_their_place(self) -> None:
        for kind, resource_id in self.ids.items():
            for replace, expected in ((False, {"a": "1", "b": "3", "c": "4"}), (True, {"d": "5"})):
                given = {"d": "5"} if replace else {"b": "3", "c": "4"}
                stored = self.service.set_metadata(
                    self.member, kind, resource_id, given, replace=replace
                )
                self.assertEqual((expected, expected), (stored, self._found(kind)))

    def test_a_pair_is_deleted_once(self) -> None:
        for kind, resource_id in self.ids.items():
            arguments = (self.member, kind, resource_id, "a")
            self.service.delete_metadata(*arguments)
            self.assertEqual({"b": "2"}, self._found(kind))
            self.refused(
                f"{kind.name} {resource_id} has no metadata a",
                exceptions.NotFound,
                self.service.delete_metadata,
                *arguments,
            )

    def test_another_projects_resource_does_not_exist(self) -> None:
        for kind, resource_id in self.ids.items():
            arguments = (self.stranger, kind, resource_id)
            self.assertRaises(
                kind.not_found, self.service.set_metadata, *arguments, {"a": "2"}, replace=True
            )
            self.assertRaises(kind.not_found, self.service.delete_metadata, *arguments, "a")
            self.assertEqual({"a": "1", "b": "2"}, self._found(kind))
