# SPDX-License-Identifier: Apache-2.0
"""What alembic runs for every command, on the connection that ``db.migration`` hands over."""

from alembic import context

from cg_extension.reference.db import tables

context.configure(
    connection=context.config.attributes["connection"], target_metadata=tables.metadata
)
with context.begin_transaction():
    context.run_migrations()
