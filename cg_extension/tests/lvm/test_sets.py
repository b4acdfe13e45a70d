# SPDX-License-Identifier: Apache-2.0
"""After a cut anywhere, the next start finds sets complete or lets them go, by LVM's real tags."""

import signal

from cg_extension.drivers import steps
from cg_extension.drivers.lvm import engine, errors, sets
from cg_extension.tests.lvm import base, callers

# By the boundary at which the caller dies, what there is of the deleted after recovery.
_MAKING = {"begun": False, "snapshots_made": False, "retaken": False, "finished": True}
_REMOVING = {"named": True, "going": False, "removed": False}


class Sets:
    thin: bool

    def setUp(self) -> None:
        super().setUp()
        self.eng = self.use_engine(self.thin)
        self.names, self.devices = self.make_volumes(self.eng, 2)

    def _die_at(self, boundary: str, deleted: str) -> None:
        file = self.vg.system_dir / "fault"
        file.write_text(f"test/lvm.{boundary}:1")
        arguments = [self.vg.name, self.vg.pool or "", deleted, *self.names]
        fault = {steps.FAULT_VARIABLE: str(file)}
        with callers.Caller(callers.take_then_delete, arguments, fault) as caller:
            self.assertEqual(-signal.SIGKILL, caller.wait(), caller.complaint())

    def test_killed_at_any_step_a_set_is_complete_or_gone(self) -> None:
        snapshots = ["s-v0", "s-v1"]
        # Of the two, one volume is of another set, so that the deleted have to become one.
        self.eng.snapshot_group(self.copies(self.names[:1], "t-"))
        for boundary, there in {**_MAKING, **_REMOVING}.items():
            mixed = boundary == "named"
            self._die_at(boundary, "t-v0 s-v0" if mixed else " ".join(snapshots))
            self.eng.wipe(self.eng.recover())
            self.assert_sound(self.eng, [*self.names, "t-v0", *(snapshots if there else [])])
            self.eng.delete(snapshots)
        self.assert_sound(self.eng, [*self.names, "t-v0"])

    def test_a_cut_among_the_volumes_of_a_set_that_goes_takes_the_rest(self) -> None:
        self.eng.snapshot_group(self.copies(self.names, "s-"))
        (name,) = sets.names(self.eng.volumes()["s-v0"])
        base.run("vgchange", "--addtag", f"cg_ext.going={name}:0-1-0", self.vg.name)
        base.run("lvremove", "--yes", f"{self.vg.name}/s-v1")
        self.eng.wipe(self.eng.recover())
        self.assert_sound(self.eng, self.names)
        self.eng.snapshot_group(self.copies(self.names, "s-"))

    def test_a_mark_of_an_earlier_version_on_one_takes_the_whole_set(self) -> None:
        snapshots = [
            engine.Copy(source=name, target=f"{name}.monday", tags=["cg-lvm.snapshot=monday"])
            for name in self.names
        ]
        self.eng.snapshot_group(snapshots)
        base.run("lvchange", "--addtag", "cg_ext.unfinished=0-1-0", f"{self.vg.name}/v1.monday")
        self.eng.wipe(self.eng.recover())
        self.assert_sound(self.eng, self.names)
        self.eng.snapshot_group(snapshots)

    def test_what_is_in_use_stays_whole_and_keeps_no_one_from_recovery(self) -> None:
        self.eng.snapshot_group(self.copies(self.names, "s-"))
        (device,) = self.readable(self.eng, ["s-v1"])
        (name,) = sets.names(self.eng.volumes()["s-v0"])
        with open(device, "rb"):
            self.assertRaises(errors.LVMError, self.eng.delete, ["s-v0", "s-v1"])
            self.assert_sound(self.eng, [*self.names, "s-v0", "s-v1"])
            self.eng.group.change_tags(add=[f"cg_ext.going={name}:0-1-0"])
            self.eng.wipe(self.eng.recover())
            self.assertEqual({"s-v1"}, {"s-v0", "s-v1"} & set(self.eng.volumes()))
        self.eng.wipe(self.eng.recover())
        self.assert_sound(self.eng, self.names)


class ThinTest(Sets, base.LVMTestCase):
    thin = True

    def test_what_lvm_itself_was_cut_in_making_leaves_no_id_in_the_pool(self) -> None:
        self.eng.snapshot_group(self.copies(self.names, "s-"))
        (name,) = sets.names(self.eng.volumes()["s-v0"])
        base.run("vgchange", "--addtag", f"cg_ext.begun={name}:0-1-0", self.vg.name)
        self._let_lvm_think_it_is_still_to_make("s-v1")
        self.eng.wipe(self.eng.recover())
        self.eng.snapshot_group(self.copies(self.names, "s-"))
        self.assert_sound(self.eng, [*self.names, "s-v0", "s-v1"])

    def _let_lvm_think_it_is_still_to_make(self, volume: str) -> None:
        """The metadata between the pool's work and LVM's note that it is done."""
        file = self.vg.system_dir / "metadata"
        base.run("vgcfgbackup", "--file", str(file), self.vg.name)
        text = file.read_text()
        end = text.index("\n", text.index("transaction_id", text.index('type = "thin-pool"')))
        message = f'\nmessage1 {{\ncreate = "{volume}"\n}}'
        file.write_text(text[:end] + message + text[end:])
        base.run("vgchange", "--activate", "n", self.vg.name)
        base.run("vgcfgrestore", "--yes", "--force", "--file", str(file), self.vg.name)
        base.run("vgchange", "--activate", "y", self.vg.name)


class ThickTest(Sets, base.LVMTestCase):
    thin = False
