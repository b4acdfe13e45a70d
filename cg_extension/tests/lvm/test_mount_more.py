# SPDX-License-Identifier: Apache-2.0
"""More of ``cg-lvm mount``, what fails and what is killed: in long runs."""

from cg_extension.tests.long import load_tests  # noqa: F401
from cg_extension.tests.lvm import callers, test_mount


class ThinTest(test_mount.MountCase):
    thin = True

    def test_a_killed_mount_is_undone_by_umount(self) -> None:
        arguments = [self.vg.name, "one", str(self.target), "--key-file", str(self.key)]
        with callers.Caller(callers.mount_and_wait, arguments) as caller:
            self.assertEqual("mounted\n", caller.line(), caller.complaint())
            caller.kill()
        self.call("snapshot", f"{self.vg.name}/wal", "--name", "two")
        self.call("delete", self.vg.name, "two")
        self.umount()
        self.assertEqual(self.before, self._state())

    def test_what_is_killed_before_it_mounts_is_undone_by_the_next_command(self) -> None:
        arguments = [self.vg.name, "one", str(self.target), "--key-file", str(self.key)]
        with callers.Caller(callers.open_and_wait, arguments) as caller:
            self.assertEqual("opened\n", caller.line(), caller.complaint())
            caller.kill()
        self.call("snapshot", f"{self.vg.name}/wal", "--name", "two")
        self.call("delete", self.vg.name, "two")
        self.assertEqual(self.before, self._state())

    def test_the_wrong_key_leaves_nothing(self) -> None:
        self.key.write_text("wrong")
        complaint = self.mount(status=1)
        self.assertIn(f"the LUKS in {self.vg.name}/secret.one could not be opened", complaint)
        self.assertEqual(self.before, self._state())


class ThickTest(test_mount.MountCase):
    thin = False

    def test_a_backup_of_it_has_every_file_of_the_instant_in_its_place(self) -> None:
        self.assert_a_backup_has_every_file_of_the_instant()
