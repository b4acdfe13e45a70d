# SPDX-License-Identifier: Apache-2.0
"""Tests over the nodes of a cluster; each begins with an empty database and all nodes well."""

import functools
from collections.abc import Sequence

from oslotest import base

from cg_extension.reference.db import engine
from cg_extension.tests import databases
from cg_extension.tests.galera import cluster


class GaleraTestCase(base.BaseTestCase):
    """``databases`` are one database as each of the nodes has it."""

    def setUp(self) -> None:
        super().setUp()
        self.cluster = cluster.shared()
        self.databases = open_databases(self)

    def break_nodes(self) -> Sequence[cluster.Node]:
        """The nodes, which a test may do anything to."""
        self.addCleanup(self.cluster.restore)
        return self.cluster.nodes


def open_databases(test: base.BaseTestCase) -> list[engine.Database]:
    """This process's database, emptied, at each node."""
    return [test.useFixture(databases.Database("mysql", url)).database for url in urls()]


@functools.cache
def urls() -> list[str]:
    """Of this process's database, one a node; it has the newest schema."""
    found = cluster.shared().new_database()
    databases.migrate(found[0])
    return found
