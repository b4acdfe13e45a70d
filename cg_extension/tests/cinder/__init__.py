# SPDX-License-Identifier: Apache-2.0
"""Tests that run the plugin inside real Cinder 29 processes; the tox environment ``cinder``."""
