# SPDX-License-Identifier: Apache-2.0
"""What Cinder's own group API gets wrong, done right by the plugin's; and its policies."""

import sqlalchemy as sa
from oslotest import base

from cg_extension.tests.cinder import deployment, pipelines, shared


class GroupCase(base.BaseTestCase):
    """A user with a new project in the shared Cinder."""

    def setUp(self) -> None:
        # Before oslotest's temporary directory, in which Cinder must not live.
        self.running = shared.cinder()
        super().setUp()
        self.user = shared.Client(self.running)

    def group(self, **more: str) -> str:
        return self.user.create(
            "/consistencygroups", "consistencygroup", {"volume_types": "gold", **more}
        )

    def group_with_volume(self) -> tuple[str, str]:
        group = self.group()
        volume = self.user.create(
            "/volumes",
            "volume",
            {"size": 1, "volume_type": "gold", "consistencygroup_id": group},
        )
        return group, volume

    def sql(self, statement: str) -> list[sa.Row]:
        """What the database answers; a change is committed."""
        engine = sa.create_engine(self.running.database_url, poolclass=sa.NullPool)
        with engine.begin() as connection:
            result = connection.exec_driver_sql(statement)
            return list(result) if result.returns_rows else []

    def quota_in_use(self, resource: str) -> int:
        rows = self.sql(
            f"SELECT in_use + reserved FROM quota_usages WHERE project_id = '{self.user.project}'"
            f" AND resource = '{resource}'"
        )
        return int(rows[0][0]) if rows else 0

    def set_quota(self, **quotas: int) -> None:
        administrator = shared.token(self.user.project, "admin", "member", "reader")
        self.user.token, mine = administrator, self.user.token
        path = f"/os-quota-sets/{self.user.project}"
        self.user.call("PUT", path, {"quota_set": quotas}).raise_for_status()
        self.user.token = mine


class FailureTest(GroupCase):
    """A refused or failed call leaves nothing behind."""

    def test_a_refused_delete_leaves_the_volumes_as_they_were(self) -> None:
        group, volume = self.group_with_volume()
        self.sql(
            "INSERT INTO `groups` (id, project_id, status, source_group_id, deleted)"
            f" VALUES (UUID(), '{self.user.project}', 'creating', '{group}', 0)"
        )
        answer = self.user.call(
            "POST", f"/consistencygroups/{group}/delete", {"consistencygroup": {"force": True}}
        )
        self.assertEqual(400, answer.status_code)
        self.assertIn("being created from group", answer.text)
        status = shared.status_of(self.user.call("GET", f"/volumes/{volume}"))
        self.assertEqual("available", status)

    def test_a_source_beyond_the_quota_leaves_no_group_and_no_quota_in_use(self) -> None:
        group, _volume = self.group_with_volume()
        self.set_quota(volumes=1)
        answer = self.user.call(
            "POST",
            "/consistencygroups/create_from_src",
            {"consistencygroup-from-src": {"source_cgid": group}},
        )
        self.assertEqual(413, answer.status_code, answer.text)
        listed = self.user.call("GET", "/consistencygroups").json()["consistencygroups"]
        self.assertEqual([group], [each["id"] for each in listed])
        self.assertEqual((1, 1), (self.quota_in_use("groups"), self.quota_in_use("volumes")))

    def test_a_new_name_does_not_make_a_broken_group_available(self) -> None:
        group = self.group()
        self.sql(f"UPDATE `groups` SET status = 'error' WHERE id = '{group}'")
        answer = self.user.call(
            "PUT", f"/consistencygroups/{group}", {"consistencygroup": {"name": "new"}}
        )
        self.assertEqual(400, answer.status_code)
        status = shared.status_of(self.user.call("GET", f"/consistencygroups/{group}"))
        self.assertEqual("error", status)

    def test_a_group_that_is_being_made_is_not_deleted_by_force(self) -> None:
        group = self.group()
        for status in ("creating", "updating", "deleting"):
            self.sql(f"UPDATE `groups` SET status = '{status}' WHERE id = '{group}'")
            answer = self.user.call(
                "POST",
                f"/consistencygroups/{group}/delete",
                {"consistencygroup": {"force": True}},
            )
            self.assertEqual(400, answer.status_code, status)


class ListTest(GroupCase):
    """Lists show consistency groups, at a fixed price."""

    def test_a_detailed_list_takes_as_many_queries_for_many_groups_as_for_one(self) -> None:
        for _ in range(8):
            self.group()
        few, many = (
            min(self._selects(f"/consistencygroups/detail?limit={limit}") for _ in range(5))
            for limit in (1, 8)
        )
        self.assertEqual(few, many)

    def _selects(self, path: str) -> int:
        """SELECTs that the server ran meanwhile, periodic ones of Cinder's processes included."""
        before = self._counter()
        self.user.call("GET", path).raise_for_status()
        return self._counter() - before

    def _counter(self) -> int:
        [(_name, value)] = self.sql("SHOW GLOBAL STATUS LIKE 'Com_select'")
        return int(value)


class Version2Test(GroupCase):
    """Cinder's own resources at /v2."""

    def test_links_lead_back_to_version_2(self) -> None:
        _group, volume = self.group_with_volume()
        shown = self.user.call("GET", f"/volumes/{volume}", version="v2").json()["volume"]
        links = {link["rel"]: link["href"] for link in shown["links"]}
        self.assertIn(f"/v2/{self.user.project}/volumes/{volume}", links["self"])

    def test_a_microversion_means_nothing(self) -> None:
        answer = self.user.call("GET", "/groups", version="v2")
        self.assertEqual(404, answer.status_code)

    def test_the_root_says_which_version_it_is(self) -> None:
        self.user.project = ""
        answer = self.user.call("GET", "", version="v2")
        self.assertEqual(["v2.0"], [each["id"] for each in answer.json()["versions"]])


class OwnDeploymentTest(base.BaseTestCase):
    """What takes a Cinder with another configuration."""

    def test_policy_file_and_failing_backend(self) -> None:
        """Cinder's policy file overrides our rules; a failing backend gives status error."""
        policy = self.create_tempfiles([("policy", '"consistencygroup:get_all": "!"\n')], ".yaml")
        failing = "cg_extension.tests.cinder.fake_driver.FailingDriver"
        running = self.useFixture(
            deployment.CinderDeployment(
                paste=pipelines.PLUGIN,
                options={
                    "oslo_policy": {"policy_file": policy[0]},
                    deployment.BACKEND: {"volume_driver": failing},
                },
            )
        )
        user = shared.Client(running)
        answer = user.call("GET", "/consistencygroups")
        self.assertEqual(403, answer.status_code)
        self.assertIn("consistencygroup:get_all", answer.text)
        group = user.create(
            "/consistencygroups", "consistencygroup", {"volume_types": "__DEFAULT__"}
        )
        user.create(
            "/volumes",
            "volume",
            {"size": 1, "volume_type": "__DEFAULT__", "consistencygroup_id": group},
        )
        answer = user.call("POST", "/cgsnapshots", {"cgsnapshot": {"consistencygroup_id": group}})
        snapshot = answer.json()["cgsnapshot"]["id"]
        user.wait(f"/cgsnapshots/{snapshot}", "error")
        user.call("DELETE", f"/cgsnapshots/{snapshot}").raise_for_status()
        user.wait(f"/cgsnapshots/{snapshot}", "gone")
        self.assertEqual(
            "available", shared.status_of(user.call("GET", f"/consistencygroups/{group}"))
        )
