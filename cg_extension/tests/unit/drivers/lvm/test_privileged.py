# SPDX-License-Identifier: Apache-2.0
"""The privileged helper's connection, when several threads find the helper ended at once."""

import threading

from oslotest import base

from cg_extension.drivers.lvm import commands, privileged, privsep


class _Channel:
    """A connection that counts how often it was closed."""

    def __init__(self, running: bool) -> None:
        self.running = running
        self.closed = 0

    def close(self) -> None:
        self.closed += 1


class StopTest(base.BaseTestCase):
    """``stop``, which oslo.privsep calls in each thread that has found the helper ended."""

    def setUp(self) -> None:
        super().setUp()
        self.context = privsep.Context(
            privsep.context.prefix, cfg_section="cg_lvm_privsep", capabilities=[]
        )

    def test_the_connection_to_a_helper_that_has_ended_is_closed_once(self) -> None:
        ended = self.context.channel = _Channel(running=False)
        threads = [threading.Thread(target=self.context.stop) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        self.assertEqual((1, None), (ended.closed, self.context.channel))

    def test_the_connection_to_its_successor_is_left_to_the_thread_that_uses_it(self) -> None:
        successor = self.context.channel = _Channel(running=True)
        self.context.stop()
        self.assertEqual((0, successor), (successor.closed, self.context.channel))


class EntrypointTest(base.BaseTestCase):
    def test_the_helper_calls_what_is_marked_and_nothing_else(self) -> None:
        self.assertIs(privsep.context, privileged.context)  # the name in etc/sudoers.d
        self.assertTrue(privsep.context.is_entrypoint(commands.lvm))
        for function in (commands.all_groups, commands.lvm.__wrapped__, print):
            self.assertFalse(privsep.context.is_entrypoint(function), function)
