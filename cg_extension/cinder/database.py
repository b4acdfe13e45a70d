# SPDX-License-Identifier: Apache-2.0
"""Cinder's database modules, which moved from ``cinder.db.sqlalchemy`` in Cinder 29."""

try:
    from cinder.db import api, models
except ImportError:
    from cinder.db.sqlalchemy import api, models

__all__ = ("api", "models")
