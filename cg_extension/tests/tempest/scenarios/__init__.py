# SPDX-License-Identifier: Apache-2.0
"""The plugin's tests, found by tempest."""
