# SPDX-License-Identifier: Apache-2.0
"""LVM tests that need more than device-mapper: systemd, udev, Debian's kernel. Run in QEMU only."""
