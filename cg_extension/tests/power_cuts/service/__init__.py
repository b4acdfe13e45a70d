# SPDX-License-Identifier: Apache-2.0
"""Power cuts of a machine with ``cg-standalone``, its database on the disk of its volumes.

``boot`` is what the guest runs: ``work`` is a client that asks for things over HTTP until the power
goes, ``audit`` what must hold after the next boot, once the service says that it is ready. Both
keep to ``machine`` (the disk, the service on it) and to the ``ledger`` of what was asked for and
accepted.
"""
