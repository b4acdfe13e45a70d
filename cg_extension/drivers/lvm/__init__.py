# SPDX-License-Identifier: Apache-2.0
"""Group snapshots of one instant on LVM: the engine (see ``engine``) and the driver on it."""
