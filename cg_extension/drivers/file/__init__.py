# SPDX-License-Identifier: Apache-2.0
"""The ``file`` driver and what it does to files."""
