# SPDX-License-Identifier: Apache-2.0
"""JSON schemas of request bodies, one module per collection.

Keys whose value is null are removed before a schema is applied (``validation.parse``).
"""
