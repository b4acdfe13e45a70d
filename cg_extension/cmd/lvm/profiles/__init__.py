# SPDX-License-Identifier: Apache-2.0
"""Profiles: files that say what ``cg-lvm run`` takes, which hooks it runs, and what it keeps.

=============  ================================================================================
``running``    the action itself, step by step
``reading``    a profile's file, read strictly; ``schema`` has its keys, ``trust`` who may write it
``hooks``      their processes; ``state`` tells what is still to be undone after a kill
``retention``  which group snapshots are kept, and by which rule
``pruning``    a profile's group snapshots as they are, and the deletion of those not kept
``report``     the journal and the node exporter; ``exits`` has the exit statuses
=============  ================================================================================
"""
