# SPDX-License-Identifier: Apache-2.0
"""Consistency groups that really are consistent, for a Cinder-like block storage service."""
