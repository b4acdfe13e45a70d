# SPDX-License-Identifier: Apache-2.0
"""The plugin inside Cinder; nothing else in the package imports Cinder."""
