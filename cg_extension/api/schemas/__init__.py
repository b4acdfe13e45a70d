# SPDX-License-Identifier: Apache-2.0
"""JSON schemas of the requests' bodies, one module a collection.

A key whose value is null is gone before a schema is applied (``validation.parse``).
"""
