# SPDX-License-Identifier: Apache-2.0
"""The API reference, ``api-ref/source``, held against the code and against real answers.

``reference`` reads it, ``code`` tells what the code has, ``comparison`` where the two differ;
Sphinx (``api-ref/ext``) and a unit test ask for that. ``story`` sends every call of the reference
to a running service, in an order in which each can succeed, and ``samples`` compares the answers.
"""
