# SPDX-License-Identifier: Apache-2.0
"""Several processes over the nodes of one MariaDB Galera cluster, at once.

``cluster`` starts it, and breaks it. The machine needs no network but its loopback interface, and
the tests no rights.
"""
