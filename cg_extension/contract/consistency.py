# SPDX-License-Identifier: Apache-2.0
"""What the content of a group snapshot is worth: words of its receipt."""

CRASH_CONSISTENT = "crash-consistent"
"""What a power cut at the instant would have left on the volumes."""
