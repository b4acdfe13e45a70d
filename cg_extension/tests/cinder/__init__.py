# SPDX-License-Identifier: Apache-2.0
"""Tests inside real Cinder processes; the tox environments ``cinder`` and ``cinder28``."""
