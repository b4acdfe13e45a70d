# SPDX-License-Identifier: Apache-2.0
"""Power cuts: a guest is killed while it makes, removes and goes back to group snapshots.

``boot`` is what the guest runs: ``work`` until the power goes, ``audit`` of what is left after the
next boot. Both keep to ``machine`` (the volumes, and who writes to them) and to the ``journal``,
which is not in the guest and so tells after the cut what had been asked for and answered.
``tools/guest/power_cuts.py`` is the hand on the switch.
"""
