# SPDX-License-Identifier: Apache-2.0
"""Tests that need root and device-mapper; ``test_real_lvm`` runs them in User-Mode Linux."""
