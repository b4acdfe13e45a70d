# SPDX-License-Identifier: Apache-2.0
"""The plugin inside Cinder 29; nothing else in the package imports Cinder."""
