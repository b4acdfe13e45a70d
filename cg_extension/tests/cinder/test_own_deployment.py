# SPDX-License-Identifier: Apache-2.0
"""What takes a Cinder with another configuration; all of it together in one."""

import pathlib
import tempfile

from cg_extension.tests.cinder import deployment, pipelines, test_special_volumes

KEY = "00000000-0000-0000-0000-000000000000"
"""The id of ConfKeyManager's only key."""


class OwnDeploymentTest(test_special_volumes.SpecialVolumesCase):
    @classmethod
    def setUpClass(cls) -> None:
        super().setUpClass()
        directory = tempfile.TemporaryDirectory()
        cls.addClassCleanup(directory.cleanup)
        policy = pathlib.Path(directory.name, "policy.yaml")
        policy.write_text('"consistencygroup:get_all": "!"\n"volume:delete": "role:admin"\n')
        options = {
            "oslo_policy": {"policy_file": policy},
            deployment.BACKEND: {
                "volume_driver": "cg_extension.tests.cinder.fake_driver.FailingDriver"
            },
            # Cinder's own without a server: one key for all volumes, which is never deleted.
            "key_manager": {
                "backend": "cinder.keymgr.conf_key_mgr.ConfKeyManager",
                "fixed_key": "5a" * 32,
            },
        }
        cls.own = deployment.CinderDeployment(paste=pipelines.PLUGIN, options=options)
        cls.addClassCleanup(cls.own.cleanUp)
        cls.own.setUp()

    def cinder(self) -> deployment.CinderDeployment:
        return self.own

    def test_cinders_policy_file_overrides_our_rules(self) -> None:
        answer = self.user.request("GET", "/consistencygroups")
        self.assertEqual(403, answer.status_code)
        self.assertIn("consistencygroup:get_all", answer.text)

    def test_a_failing_backend_gives_status_error(self) -> None:
        group, _volumes = self.group_of("__DEFAULT__")
        body = {"cgsnapshot": {"consistencygroup_id": group}}
        snapshot = self.user.create("/cgsnapshots", body, "error")
        self.user.delete(f"/cgsnapshots/{snapshot}")
        self.user.wait_for(f"/cgsnapshots/{snapshot}", "gone")
        self.assertEqual("available", self.user.status(f"/consistencygroups/{group}"))

    def test_a_refusal_leaves_nothing_for_whom_may_not_delete_volumes(self) -> None:
        group, [volume, _other] = self.group_of("__DEFAULT__", 2)
        self.assertEqual(403, self.user.request("DELETE", f"/volumes/{volume}").status_code)
        self.set_quota(volumes=3)
        path = "/consistencygroups/create_from_src"
        source = {test_special_volumes.SOURCE: {"source_cgid": group}}
        answer = self.user.request("POST", path, source)
        self.assertEqual(413, answer.status_code, answer.text)
        self.assertEqual((1, 2), (self.quota_in_use("groups"), self.quota_in_use("volumes")))
        rows = self.sql(
            f"SELECT id FROM `groups` WHERE project_id = '{self.user.project}' AND NOT deleted"
        )
        self.assertEqual([(group,)], [tuple(row) for row in rows])

    def test_a_key_manager_with_one_key_keeps_it_whatever_is_refused_or_deleted(self) -> None:
        group, _volumes = self.group_of(self.volume_type(encrypted=True), 2)
        for _ in range(2):
            copy = self.copy(source_cgid=group)
            for each in (group, copy):
                self.assertEqual([(KEY,), (KEY,)], self.members(each, "encryption_key_id"))
            self.set_quota(volumes=5)
            path = "/consistencygroups/create_from_src"
            source = {test_special_volumes.SOURCE: {"source_cgid": group}}
            answer = self.user.request("POST", path, source)
            self.assertEqual(413, answer.status_code, answer.text)
            body = {"consistencygroup": {"force": True}}
            self.user.post(f"/consistencygroups/{copy}/delete", body)
            self.user.wait_for(f"/consistencygroups/{copy}", "gone")
