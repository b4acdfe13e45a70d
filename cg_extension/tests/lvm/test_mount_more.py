# SPDX-License-Identifier: Apache-2.0
"""More of ``cg-lvm mount``, what fails and what is killed: in long runs."""

from collections.abc import Callable

from cg_extension.tests.long import load_tests  # noqa: F401
from cg_extension.tests.lvm import callers, test_mount


class ThinTest(test_mount.MountCase):
    thin = True

    def _kill_at(self, told: str, mount: Callable[[], None]) -> None:
        """Kill a mount where it says a word; two more commands follow."""
        arguments = [self.vg.name, "one", str(self.target), "--key-file", str(self.key)]
        with callers.Caller(mount, arguments) as caller:
            self.assertEqual(f"{told}\n", caller.line(), caller.complaint())
            caller.kill()
        self.call("snapshot", f"{self.vg.name}/wal", "--name", "two")
        self.call("delete", self.vg.name, "two")

    def test_a_killed_mount_is_undone_by_umount(self) -> None:
        self._kill_at("mounted", callers.mount_and_wait)
        self.umount()
        self.assertEqual(self.before, self._state())

    def test_what_is_killed_before_it_mounts_is_undone_by_the_next_command(self) -> None:
        self._kill_at("opened", callers.open_and_wait)
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
