# SPDX-License-Identifier: Apache-2.0
"""PostgreSQL and MariaDB servers of a test process's own, started by pifpaf."""

import os
import shutil
from typing import Any

import sqlalchemy as sa
from pifpaf.drivers import mysql as pifpaf_mysql
from pifpaf.drivers import postgresql as pifpaf_postgresql

from cg_extension.tests import lasting
from cg_extension.tests.deployment import processes


def start(dialect: str, directory: str) -> sa.URL:
    """Start a server of one dialect with its data below a directory; it ends with this process."""
    if dialect == "postgresql":
        driver = _PostgreSQL(port=processes.free_port(), tmp_rootdir=directory)
        backend = "postgresql+psycopg2"
    else:
        driver = MariaDB(tmp_rootdir=directory)
        backend = "mysql+pymysql"
    lasting.start(driver)
    url = sa.make_url(driver.url).set(drivername=backend)
    if dialect == "postgresql" and os.geteuid() == 0:
        url = url.set(username=_PostgreSQL.USER)
    return url


class MariaDB(pifpaf_mysql.MySQLDriver):
    """MariaDB that does not wait for the disk, as pifpaf's PostgreSQL does not either."""

    def _exec(self, command: list[str], *args: Any, **kwargs: Any) -> Any:
        if command[0] == "mysqld":
            command = [*command, "--innodb-flush-log-at-trx-commit=0", "--skip-innodb-doublewrite"]
        return super()._exec(command, *args, **kwargs)


class _PostgreSQL(pifpaf_postgresql.PostgreSQLDriver):
    """PostgreSQL refuses to run as root; Debian's package has a user for it."""

    USER = "postgres"

    def _exec(self, command: list[str], *args: Any, **kwargs: Any) -> Any:
        if os.geteuid() == 0:
            shutil.chown(self.tempdir, self.USER)
            command = ["runuser", "-u", self.USER, "--", *command]
        return super()._exec(command, *args, **kwargs)
