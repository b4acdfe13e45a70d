# SPDX-License-Identifier: Apache-2.0
"""Members that are encrypted, multiattach, replicated or extended, and what is refused for members.

The table in ``docs/cinder.md`` says the same in words. What takes real LVM is in ``guest``.
"""

import uuid
from collections.abc import Mapping
from typing import Any

from cg_extension.tests.cinder import deployment, keys, shared, test_group_api

SOURCE = "consistencygroup-from-src"


class SpecialVolumesCase(test_group_api.GroupCase):
    """Groups of volumes of a type of their own."""

    def volume_type(self, encrypted: bool = False, **extra_specs: str) -> str:
        """A new volume type's name."""
        admin = self.running.admin()
        name = uuid.uuid4().hex
        made = admin.post("/types", {"volume_type": {"name": name, "extra_specs": extra_specs}})
        if encrypted:
            how = {
                "provider": "luks",
                "cipher": "aes-xts-plain64",
                "key_size": 256,
                "control_location": "front-end",
            }
            admin.post(f"/types/{made['volume_type']['id']}/encryption", {"encryption": how})
        return name

    def group_of(self, volume_type: str, count: int = 1) -> tuple[str, list[str]]:
        """A group with volumes of the type."""
        group = self.group(volume_types=volume_type)
        values = {"size": 1, "volume_type": volume_type, "consistencygroup_id": group}
        return group, [self.user.create("/volumes", {"volume": values}) for _ in range(count)]

    def snapshot(self, group: str) -> str:
        return self.user.create("/cgsnapshots", {"cgsnapshot": {"consistencygroup_id": group}})

    def copy(self, status: str = "available", **source: str) -> str:
        """A group made from a source, in the status in which its making ends."""
        return self.user.create("/consistencygroups/create_from_src", {SOURCE: source}, status)

    def members(self, group: str, columns: str) -> list[Any]:
        """Of the rows of a group's volumes."""
        return self.sql(
            f"SELECT {columns} FROM volumes WHERE group_id = '{group}' AND NOT deleted ORDER BY id"
        )

    def as_administrator(self) -> None:
        self.user.token = shared.token(self.user.project, "admin", "member", "reader")


class EncryptedTest(SpecialVolumesCase):
    """Each encrypted volume has a key of its own, for as long as there is the volume."""

    def secrets(self, group: str) -> list[bytes]:
        """What the keys of a group's volumes hold."""
        return [self.key(key_id) for [key_id] in self.members(group, "encryption_key_id")]

    def key(self, key_id: str) -> bytes:
        return (self.running.directory / keys.DIRECTORY / key_id).read_bytes()

    def existing(self) -> set[str]:
        """The ids of all keys, of other tests as well."""
        return {file.name for file in (self.running.directory / keys.DIRECTORY).iterdir()}

    def test_a_copy_has_keys_of_its_own_with_which_it_can_be_read(self) -> None:
        group, _volumes = self.group_of(self.volume_type(encrypted=True), 2)
        for source in ({"cgsnapshot_id": self.snapshot(group)}, {"source_cgid": group}):
            copy = self.copy(**source)
            self.assertEqual(sorted(self.secrets(group)), sorted(self.secrets(copy)))
            ids = [self.members(each, "encryption_key_id") for each in (group, copy)]
            self.assertEqual(4, len({row[0] for rows in ids for row in rows}))

    def test_keys_go_with_the_volumes_of_a_deleted_group(self) -> None:
        before = self.existing()
        group, _volumes = self.group_of(self.volume_type(encrypted=True), 2)
        self.assertEqual(2, len(self.existing() - before))
        self.user.post(f"/consistencygroups/{group}/delete", {"consistencygroup": {"force": True}})
        self.user.wait_for(f"/consistencygroups/{group}", "gone")
        self.assertEqual(set(), self.existing() - before)

    def test_a_copy_that_is_refused_leaves_no_keys(self) -> None:
        group, _volumes = self.group_of(self.volume_type(encrypted=True), 2)
        before = self.existing()
        self.set_quota(volumes=3)
        path = "/consistencygroups/create_from_src"
        answer = self.user.request("POST", path, {SOURCE: {"source_cgid": group}})
        self.assertEqual(413, answer.status_code, answer.text)
        self.assertEqual(set(), self.existing() - before)


class AttachedTest(SpecialVolumesCase):
    """A multiattach volume that two servers write to."""

    def test_a_group_with_an_attached_multiattach_volume_is_copied_by_snapshot_and_kept(
        self,
    ) -> None:
        group, [volume] = self.group_of(self.volume_type(multiattach="<is> True"))
        for mountpoint in ("/dev/vdb", "/dev/vdc"):
            attach = {"instance_uuid": str(uuid.uuid4()), "mountpoint": mountpoint}
            self.user.post(f"/volumes/{volume}/action", {"os-attach": attach})
        shown = self.user.get(f"/volumes/{volume}")["volume"]
        self.assertEqual(("in-use", 2), (shown["status"], len(shown["attachments"])))
        taken = self.snapshot(group)
        rows = self.members(self.copy(cgsnapshot_id=taken), "multiattach, status, attach_status")
        self.assertEqual([(1, "available", "detached")], rows)
        self.user.delete(f"/cgsnapshots/{taken}")
        self.user.wait_for(f"/cgsnapshots/{taken}", "gone")
        body = {"consistencygroup": {"force": True}}
        answer = self.user.request("POST", f"/consistencygroups/{group}/delete", body)
        self.assertEqual(400, answer.status_code, answer.text)
        self.assertIn("are attached", answer.text)

    def test_a_group_straight_from_one_with_an_attached_volume_is_refused_and_leaves_nothing(
        self,
    ) -> None:
        group, [volume, _other] = self.group_of("gold", 2)
        attach = {"instance_uuid": str(uuid.uuid4()), "mountpoint": "/dev/vdb"}
        self.user.post(f"/volumes/{volume}/action", {"os-attach": attach})
        path = "/consistencygroups/create_from_src"
        answer = self.user.request("POST", path, {SOURCE: {"source_cgid": group}})
        self.assertEqual(400, answer.status_code, answer.text)
        self.assertIn(f"Volume {volume} is in-use", answer.text)
        self.assertIn("cgsnapshot_id", answer.text)
        listed = self.user.get("/consistencygroups")["consistencygroups"]
        self.assertEqual([group], [each["id"] for each in listed])
        self.assertEqual((1, 2), (self.quota_in_use("groups"), self.quota_in_use("volumes")))
        # The way that the message tells.
        self.copy(cgsnapshot_id=self.snapshot(group))
        self.user.post(f"/volumes/{volume}/action", {"os-detach": {}})
        self.copy(source_cgid=group)


class ReplicatedTest(SpecialVolumesCase):
    """LVM replicates nothing: a type that asks for it finds no backend."""

    def test_a_group_of_a_replicated_type_ends_in_error(self) -> None:
        replicated = self.volume_type(replication_enabled="<is> True")
        group = self.user.create(
            "/consistencygroups", {"consistencygroup": {"volume_types": replicated}}, "error"
        )
        self.user.delete(f"/consistencygroups/{group}")
        self.user.wait_for(f"/consistencygroups/{group}", "gone")


class ChangedTest(SpecialVolumesCase):
    """Changes of single members."""

    def test_a_snapshot_of_before_an_extension_gives_volumes_of_the_old_size(self) -> None:
        group, [volume] = self.group_of("gold")
        before = self.snapshot(group)
        self.user.post(f"/volumes/{volume}/action", {"os-extend": {"new_size": 2}})
        self.user.wait_for(f"/volumes/{volume}", "available")
        after = self.snapshot(group)
        sizes = [
            self.members(self.copy(**source), "size")
            for source in (
                {"cgsnapshot_id": before},
                {"cgsnapshot_id": after},
                {"source_cgid": group},
            )
        ]
        self.assertEqual([[(1,)], [(2,)], [(2,)]], sizes)

    def test_a_member_is_not_retyped_migrated_or_unmanaged(self) -> None:
        group, [volume] = self.group_of("gold")
        self.as_administrator()
        retype = {"new_type": "silver", "migration_policy": "never"}
        here = f"{deployment.HOST}@{deployment.BACKEND}"
        for refused in (
            {"os-retype": retype},
            {"os-migrate_volume": {"host": f"{here}#other"}},
            {"os-unmanage": {}},
        ):
            self.assertIn("group", self.act(f"/volumes/{volume}", refused, 400))
        self.user.put(
            f"/consistencygroups/{group}", {"consistencygroup": {"remove_volumes": volume}}
        )
        self.user.wait_for(f"/consistencygroups/{group}", "available")
        self.act(f"/volumes/{volume}", {"os-unmanage": {}}, 202)

    def test_a_snapshot_of_a_group_snapshot_is_not_unmanaged(self) -> None:
        group, _volumes = self.group_of("gold")
        self.snapshot(group)
        [snapshot] = self.user.get("/snapshots")["snapshots"]
        self.as_administrator()
        self.act(f"/snapshots/{snapshot['id']}", {"os-unmanage": {}}, 400)

    def act(self, path: str, action: Mapping[str, object], expected: int) -> str:
        """What is answered to an action."""
        answer = self.user.request("POST", f"{path}/action", action)
        self.assertEqual(expected, answer.status_code, answer.text)
        return answer.text
