# SPDX-License-Identifier: Apache-2.0
"""What Cinder's own group API gets wrong, done right by the plugin's."""

import functools
import sys
from collections.abc import Callable, Iterable
from concurrent import futures

import requests
import sqlalchemy as sa
from oslotest import base

from cg_extension.tests import waiting
from cg_extension.tests.cinder import deployment, shared


class GroupCase(base.BaseTestCase):
    """A user with a new project in the shared Cinder.

    :cvar threads: whether it is the one with threads.
    """

    threads = False

    def setUp(self) -> None:
        # Before oslotest's temporary directory, in which Cinder must not live.
        self.running = self.cinder()
        super().setUp()
        self.user = shared.client(self.running)

    def cinder(self) -> deployment.CinderDeployment:
        return shared.cinder(self.threads)

    def group(self, **more: str) -> str:
        return self.user.create(
            "/consistencygroups", {"consistencygroup": {"volume_types": "gold", **more}}
        )

    def group_with_volume(self) -> tuple[str, str]:
        group = self.group()
        volume = self.user.create(
            "/volumes", {"volume": {"size": 1, "volume_type": "gold", "consistencygroup_id": group}}
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
        self.user.put(path, {"quota_set": quotas})
        self.user.token = mine


class FailureTest(GroupCase):
    """A refused or failed call leaves nothing behind."""

    def test_a_refused_delete_leaves_the_volumes_as_they_were(self) -> None:
        group, volume = self.group_with_volume()
        self.sql(
            # A whole row: administrators' lists, in other tests, show it, too.
            "INSERT INTO `groups`"
            " (id, user_id, project_id, group_type_id, status, source_group_id, deleted)"
            " SELECT UUID(), user_id, project_id, group_type_id, 'creating', id, 0"
            f" FROM `groups` WHERE id = '{group}'"
        )
        answer = self.user.request(
            "POST", f"/consistencygroups/{group}/delete", {"consistencygroup": {"force": True}}
        )
        self.assertEqual(400, answer.status_code)
        self.assertIn("being created from group", answer.text)
        status = self.user.status(f"/volumes/{volume}")
        self.assertEqual("available", status)

    def test_a_group_is_not_deleted_with_volumes_that_someone_works_with(self) -> None:
        group, volume = self.group_with_volume()
        path = f"/consistencygroups/{group}/delete"
        worked_with = ("attaching", "awaiting-transfer", "backing-up", "creating", "uploading")
        for status in (*worked_with, "reserved"):
            self.sql(f"UPDATE volumes SET status = '{status}' WHERE id = '{volume}'")
            answer = self.user.request("POST", path, {"consistencygroup": {"force": True}})
            self.assertEqual(400, answer.status_code, status)
            self.assertIn(f"{volume} is {status}", answer.text)
            self.assertEqual(status, self.user.status(f"/volumes/{volume}"))
        self.sql(f"UPDATE volumes SET status = 'available' WHERE id = '{volume}'")
        self.user.post(path, {"consistencygroup": {"force": True}})
        self.user.wait_for(f"/consistencygroups/{group}", "gone")

    def test_a_source_beyond_the_quota_leaves_no_group_and_no_quota_in_use(self) -> None:
        group, _volume = self.group_with_volume()
        self.set_quota(volumes=1)
        answer = self.user.request(
            "POST",
            "/consistencygroups/create_from_src",
            {"consistencygroup-from-src": {"source_cgid": group}},
        )
        self.assertEqual(413, answer.status_code, answer.text)
        listed = self.user.get("/consistencygroups")["consistencygroups"]
        self.assertEqual([group], [each["id"] for each in listed])
        self.assertEqual((1, 1), (self.quota_in_use("groups"), self.quota_in_use("volumes")))

    def test_a_new_name_leaves_the_status_as_it_is_and_is_refused_in_deleting(self) -> None:
        group = self.group()
        path = f"/consistencygroups/{group}"
        for status in ("creating", "updating", "error", "error_deleting", "deleting"):
            self.sql(f"UPDATE `groups` SET status = '{status}' WHERE id = '{group}'")
            answer = self.user.request("PUT", path, {"consistencygroup": {"name": status}})
            self.assertEqual(400 if status == "deleting" else 202, answer.status_code, status)
            found = self.user.get(path)["consistencygroup"]
            self.assertEqual(status, found["status"])
            self.assertEqual(status != "deleting", found["name"] == status)

    def test_an_administrator_frees_a_group_that_work_left_behind(self) -> None:
        group, _volume = self.group_with_volume()
        taken = self.user.create("/cgsnapshots", {"cgsnapshot": {"consistencygroup_id": group}})
        for table, path in (
            ("groups", f"/consistencygroups/{group}"),
            ("group_snapshots", f"/cgsnapshots/{taken}"),
        ):
            row_id = path.rpartition("/")[2]
            for before in ("creating", "updating", "deleting", "error"):
                self.sql(f"UPDATE `{table}` SET status = '{before}' WHERE id = '{row_id}'")
                body = {"reset_status": {"status": "available"}}
                answer = self.user.request("POST", f"{path}/action", body)
                self.assertEqual(403, answer.status_code, answer.text)
                self.running.admin().post(f"{path}/action", body)
                self.assertEqual("available", self.user.status(path))
        self.user.delete(f"/cgsnapshots/{taken}")
        self.user.wait_for(f"/cgsnapshots/{taken}", "gone")

    def test_a_group_without_a_backend_is_deleted(self) -> None:
        group = self.group()
        self.sql(f"UPDATE `groups` SET status = 'error', host = NULL WHERE id = '{group}'")
        answer = self.user.request("DELETE", f"/consistencygroups/{group}")
        self.assertEqual(202, answer.status_code, answer.text)
        self.user.wait_for(f"/consistencygroups/{group}", "gone")

    def test_a_group_that_is_being_made_is_not_deleted_by_force(self) -> None:
        group = self.group()
        for status in ("creating", "updating", "deleting"):
            self.sql(f"UPDATE `groups` SET status = '{status}' WHERE id = '{group}'")
            answer = self.user.request(
                "POST",
                f"/consistencygroups/{group}/delete",
                {"consistencygroup": {"force": True}},
            )
            self.assertEqual(400, answer.status_code, status)
            refusal = f"{group} is {status}; it must be available or error or error_deleting."
            self.assertIn(refusal, answer.text)

    def test_what_is_not_available_is_no_source(self) -> None:
        group, _volume = self.group_with_volume()
        taken = self.user.create("/cgsnapshots", {"cgsnapshot": {"consistencygroup_id": group}})
        self.user.wait_for(f"/cgsnapshots/{taken}", "available")
        from_source = "/consistencygroups/create_from_src", "consistencygroup-from-src"
        for table, row_id, (path, key), source in (
            ("groups", group, ("/cgsnapshots", "cgsnapshot"), "consistencygroup_id"),
            ("groups", group, from_source, "source_cgid"),
            ("group_snapshots", taken, from_source, "cgsnapshot_id"),
        ):
            self.sql(f"UPDATE `{table}` SET status = 'error' WHERE id = '{row_id}'")
            answer = self.user.request("POST", path, {key: {source: row_id}})
            self.sql(f"UPDATE `{table}` SET status = 'available' WHERE id = '{row_id}'")
            self.assertEqual(400, answer.status_code)
            self.assertIn(f"{row_id} is error; it must be available.", answer.text)


class MembersTest(GroupCase):
    """A volume is in one group only, and a group never stays in ``updating``."""

    def volume(self) -> str:
        return self.user.create("/volumes", {"volume": {"size": 1, "volume_type": "gold"}})

    def update(self, group: str, **changes: str) -> requests.Response:
        return self.user.request(
            "PUT", f"/consistencygroups/{group}", {"consistencygroup": {**changes}}
        )

    def at_once(self, calls: Iterable[Callable[[], requests.Response]]) -> list[int]:
        with futures.ThreadPoolExecutor(8) as pool:
            running = [pool.submit(call) for call in calls]
        return sorted(each.result().status_code for each in running)

    def test_a_volume_that_is_added_to_four_groups_at_once_joins_one(self) -> None:
        volume = self.volume()
        groups = [self.group() for _ in range(4)]
        codes = self.at_once(
            functools.partial(self.update, group, add_volumes=volume) for group in groups
        )
        self.assertEqual([202, 400, 400, 400], codes)
        for group in groups:
            self.user.wait_for(f"/consistencygroups/{group}", "available")

    def test_a_member_that_is_removed_eight_times_at_once_is_removed_once(self) -> None:
        for _ in range(4):
            group, volume = self.group_with_volume()
            codes = self.at_once([functools.partial(self.update, group, remove_volumes=volume)] * 8)
            self.assertEqual([202, *[400] * 7], codes)
            self.user.wait_for(f"/consistencygroups/{group}", "available")

    def test_a_volume_that_joins_a_group_is_not_deleted_meanwhile(self) -> None:
        for _ in range(6):
            group, volume = self.group(), self.volume()
            self.update(group, add_volumes=volume).raise_for_status()
            answer = self.user.request("DELETE", f"/volumes/{volume}")
            self.assertEqual(400, answer.status_code)
            self.user.wait_for(f"/consistencygroups/{group}", "available")

    def test_a_volume_of_another_backend_is_named(self) -> None:
        group, volume = self.group(), self.volume()
        self.sql(f"UPDATE volumes SET host = 'other@backend#pool' WHERE id = '{volume}'")
        answer = self.update(group, name="new", add_volumes=volume)
        self.assertEqual(400, answer.status_code)
        self.assertIn(f"Volume {volume} is on another backend", answer.text)
        shown = self.user.get(f"/consistencygroups/{group}")["consistencygroup"]
        self.assertEqual(("available", None), (shown["status"], shown["name"]))

    def test_a_volume_that_migrates_joins_no_group(self) -> None:
        group, volume = self.group(), self.volume()
        for status in ("starting", "migrating", "target:1", "completing"):
            self.sql(f"UPDATE volumes SET migration_status = '{status}' WHERE id = '{volume}'")
            answer = self.update(group, add_volumes=volume)
            self.assertEqual(400, answer.status_code, status)
            self.assertIn(f"Volume {volume} is migrating", answer.text)
        self.sql(f"UPDATE volumes SET migration_status = 'success' WHERE id = '{volume}'")
        self.update(group, add_volumes=volume).raise_for_status()
        self.user.wait_for(f"/consistencygroups/{group}", "available")


class TransferredTest(GroupCase):
    """Cinder transfers a group's volume to another project, and leaves it in the group."""

    def setUp(self) -> None:
        super().setUp()
        self.group_id, self.volume = self.group_with_volume()
        self.new_owner = shared.client(self.running)
        offer = {"transfer": {"volume_id": self.volume}}
        offered = self.user.post("/os-volume-transfer", offer)["transfer"]
        self.new_owner.post(
            f"/os-volume-transfer/{offered['id']}/accept",
            {"accept": {"auth_key": offered["auth_key"]}},
        )

    def refused(self, path: str, body: dict[str, dict[str, object]]) -> None:
        answer = self.user.request("POST", path, body)
        self.assertEqual(400, answer.status_code, answer.text)
        self.assertIn(self.volume, answer.text)
        self.assertIn("another project", answer.text)

    def test_what_its_new_owner_writes_is_not_copied_for_the_old_one(self) -> None:
        self.refused("/cgsnapshots", {"cgsnapshot": {"consistencygroup_id": self.group_id}})
        source = {"consistencygroup-from-src": {"source_cgid": self.group_id}}
        self.refused("/consistencygroups/create_from_src", source)
        self.assertEqual(1, self.quota_in_use("groups"))

    def test_it_is_not_deleted_with_the_group_and_can_be_removed_from_it(self) -> None:
        path = f"/consistencygroups/{self.group_id}"
        self.refused(f"{path}/delete", {"consistencygroup": {"force": True}})
        # Cinder shows it to nobody while its group is another project's.
        [row] = self.sql(f"SELECT status, deleted FROM volumes WHERE id = '{self.volume}'")
        self.assertEqual(("available", 0), tuple(row))
        self.user.put(path, {"consistencygroup": {"remove_volumes": self.volume}})
        self.user.wait_for(path, "available")
        self.user.delete(path)
        self.user.wait_for(path, "gone")
        self.new_owner.delete(f"/volumes/{self.volume}")


class ListTest(GroupCase):
    """Lists show consistency groups, at a fixed price."""

    def test_a_detailed_list_takes_as_many_queries_for_many_groups_as_for_one(self) -> None:
        for _ in range(8):
            self.group()
        least = dict.fromkeys((1, 8), sys.maxsize)

        def are_as_many() -> bool:
            for limit in [*least] * 5:
                count = self._selects(f"/consistencygroups/detail?limit={limit}")
                least[limit] = min(count, least[limit])
            return least[1] == least[8]

        # On a busy machine a periodic query of Cinder's is beside most lists.
        waiting.eventually(are_as_many, "as many queries for eight groups as for one")

    def _selects(self, path: str) -> int:
        """SELECTs that the server ran meanwhile, periodic ones of Cinder's processes included."""
        before = self._counter()
        self.user.get(path)
        return self._counter() - before

    def _counter(self) -> int:
        [(_name, value)] = self.sql("SHOW GLOBAL STATUS LIKE 'Com_select'")
        return int(value)


class Version2Test(GroupCase):
    """Cinder's own resources at /v2."""

    def test_links_lead_back_to_version_2(self) -> None:
        _group, volume = self.group_with_volume()
        shown = self.user.request("GET", f"/volumes/{volume}", version="v2").json()["volume"]
        links = {link["rel"]: link["href"] for link in shown["links"]}
        self.assertIn(f"/v2/{self.user.project}/volumes/{volume}", links["self"])

    def test_a_microversion_means_nothing(self) -> None:
        answer = self.user.request("GET", "/groups", version="v2")
        self.assertEqual(404, answer.status_code)

    def test_the_root_says_which_version_it_is(self) -> None:
        self.user.project = ""
        answer = self.user.request("GET", "", version="v2")
        self.assertEqual(["v2.0"], [each["id"] for each in answer.json()["versions"]])
