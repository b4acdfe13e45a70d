# SPDX-License-Identifier: Apache-2.0
"""The tempest plugin: what a cloud with consistency groups can be tested with from outside."""
