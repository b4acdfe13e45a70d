# SPDX-License-Identifier: Apache-2.0
"""Tests with real LVM and device-mapper; ``tools/run_lvm_tests.py`` runs them, as root."""
