# SPDX-License-Identifier: Apache-2.0
"""Seam 1: what the API asks of the service that it is loaded into, in plain records.

``interface`` is the seam; ``records``, ``statuses``, ``exceptions`` and ``context`` are its
vocabulary, shared by every layer. ``reference`` and ``cinder`` implement it. ``membership`` has
the rules that both have in common.
"""
