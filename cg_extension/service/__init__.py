# SPDX-License-Identifier: Apache-2.0
"""Seam 1: what the API asks of the surrounding service, in plain records.

``interface`` is the seam; ``records``, ``statuses``, ``exceptions`` and ``context`` are its
vocabulary, shared by every layer; ``reference`` implements it over our own database.
"""
