# SPDX-License-Identifier: Apache-2.0
"""What the author of a driver supplies to the conformance suite, and what its tests share."""

import contextlib
import dataclasses
import os
import unittest
from collections.abc import Callable, Collection, Iterator, Sequence
from typing import TYPE_CHECKING, Any, TypeVar

from cg_extension.contract import context as cg_context
from cg_extension.contract import records
from cg_extension.drivers import answers, base
from cg_extension.drivers.conformance import factories

GIB = 1024**3
STAMP_LENGTH = 4096
BLANK = b"\0" * STAMP_LENGTH

Answer = TypeVar("Answer")
Member = TypeVar("Member", records.Volume, records.Snapshot)

# A mixin, so that no test loader takes it for a test case; only for the type checker it is one.
if TYPE_CHECKING:
    _TestCase = unittest.TestCase
else:
    _TestCase = object


class Harness(_TestCase):
    """Hooks, and helpers that the suite's test classes build on.

    An author must supply ``make_driver`` and ``objects``, and may override the rest. Each test
    removes what it made, through the driver.
    """

    #: GiB of a volume, and of one made larger than the snapshot that it comes from.
    volume_size = 1
    larger_size = 2
    #: Volumes in a group.
    member_count = 3
    #: What ``initialize_connection`` is told of the machine that connects.
    connector: records.Connector = {"host": "conformance", "ip": "127.0.0.1"}

    def make_driver(self) -> base.Driver:
        """A new driver object for the test's backend, before its ``do_setup``.

        Called more than once in a test, for a driver that starts again on the same backend.
        """
        raise NotImplementedError

    def objects(self) -> Collection[str]:
        """Names of everything that is on the backend, temporary things included."""
        raise NotImplementedError

    @contextlib.contextmanager
    def opened(self, volume: records.Volume) -> Iterator[str]:
        """The path of a volume's bytes on this machine, while it is connected.

        To be overridden for a backend whose connections are not ``local``.
        """
        connection = self.driver.initialize_connection(self.context, volume, self.connector)
        self.assertEqual("local", connection["driver_volume_type"])
        try:
            yield str(connection["data"]["device_path"])
        finally:
            self.driver.terminate_connection(self.context, volume, self.connector)

    def setUp(self) -> None:
        super().setUp()
        self.context = cg_context.RequestContext(
            user_id="conformance", project_id=factories.PROJECT_ID, is_admin=True
        )
        self.driver = self.start_driver()
        self.at_start = sorted(self.objects())

    def start_driver(self) -> base.Driver:
        """A driver as a starting manager makes it."""
        driver = self.make_driver()
        driver.do_setup(self.context)
        driver.check_for_setup_error()
        return driver

    # Bytes.

    def _stamped_offsets(self, size: int) -> tuple[int, int, int]:
        return 0, size * GIB // 2, size * GIB - STAMP_LENGTH

    def write(self, volume: records.Volume, text: str) -> None:
        """Write ``text`` at the start, the middle and the end of a volume, onto the disk."""
        block = text.encode().ljust(STAMP_LENGTH, b".")
        with self.opened(volume) as path, open(path, "r+b", buffering=0) as file:
            for offset in self._stamped_offsets(volume.size):
                os.pwrite(file.fileno(), block, offset)
            os.fsync(file.fileno())

    def read(self, volume: records.Volume, size: int | None = None) -> list[str]:
        """What ``write`` wrote at each of the three places; an empty string for zeros.

        :param size: GiB that the volume had when it was written to, if not its size now.
        """
        blocks = self.read_blocks(volume, self._stamped_offsets(size or volume.size))
        return [block.strip(b".\0").decode("utf-8", "replace") for block in blocks]

    def read_blocks(self, volume: records.Volume, offsets: Sequence[int]) -> list[bytes]:
        with self.opened(volume) as path, open(path, "rb", buffering=0) as file:
            return [os.pread(file.fileno(), STAMP_LENGTH, offset) for offset in offsets]

    def length(self, volume: records.Volume) -> int:
        """Bytes of a volume, by seeking to its end."""
        with self.opened(volume) as path, open(path, "rb") as file:
            return file.seek(0, os.SEEK_END)

    def assertHolds(self, text: str, *volumes: records.Volume) -> None:
        """Each of the volumes holds what was written as ``text``, whole."""
        for volume in volumes:
            self.assertEqual([text] * 3, self.read(volume))

    def assertNothingLeft(self) -> None:
        """The backend holds what it held when the test began."""
        self.assertEqual(self.at_start, sorted(self.objects()))

    def assertGiven(self, check: Callable[..., Answer], *given: object) -> Answer:
        """What the driver gave back, once a check of ``drivers.answers`` let it pass."""
        try:
            return check(*given)
        except TypeError as error:
            raise AssertionError(str(error)) from error

    # Records that went through the driver.

    def updated(self, record: Member, update: base.ModelUpdate) -> Member:
        """The record with the model update applied, as the manager keeps it for later calls."""
        self.assertGiven(answers.model_update, update)
        self.assertEqual(set(), set(update) - {"provider_location"}, "unknown keys in an update")
        return dataclasses.replace(record, status="available", **update)

    def updated_members(
        self, members: Sequence[Member], update: base.GroupUpdate
    ) -> Sequence[Member]:
        """The same for the members of a group call, one update each, in order."""
        update = self.assertGiven(answers.group_update, update, len(members))
        return [self.updated(*pair) for pair in zip(members, update.members, strict=True)]

    def remove_volume_later(self, volume: records.Volume) -> records.Volume:
        self.addCleanup(self.driver.delete_volume, self.context, volume)
        return volume

    def remove_snapshot_later(self, snapshot: records.Snapshot) -> records.Snapshot:
        self.addCleanup(self.driver.delete_snapshot, self.context, snapshot)
        return snapshot

    def new_volume(self, text: str = "", **values: Any) -> records.Volume:
        """A volume on the backend, with ``text`` written to it."""
        volume = self.remove_volume_later(factories.volume(self.volume_size, **values))
        volume = self.updated(volume, self.driver.create_volume(self.context, volume))
        if text:
            self.write(volume, text)
        return volume

    def new_snapshot(self, volume: records.Volume) -> records.Snapshot:
        """A snapshot on the backend."""
        snapshot = self.remove_snapshot_later(factories.snapshot(volume))
        return self.updated(snapshot, self.driver.create_snapshot(self.context, snapshot, volume))

    def restored(self, snapshot: records.Snapshot) -> records.Volume:
        """A volume made from a snapshot."""
        volume = self.remove_volume_later(
            factories.volume(snapshot.volume_size, snapshot_id=snapshot.id)
        )
        return self.updated(
            volume, self.driver.create_volume_from_snapshot(self.context, volume, snapshot)
        )
