# SPDX-License-Identifier: Apache-2.0
"""Seam 2: storage backends behind one interface (``base``), loaded by stevedore."""
