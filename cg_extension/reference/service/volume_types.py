# SPDX-License-Identifier: Apache-2.0
"""Volume types: finding them for other parts, and the host's calls on them.

A type that is not public is an administrator's: others can neither see nor name it.
"""

from collections.abc import Collection, Mapping
from typing import Any

import sqlalchemy as sa
from oslo_db import exception as db_exception
from oslo_utils import uuidutils

from cg_extension.contract import exceptions, records
from cg_extension.reference.db import pairs, rows, volume_types
from cg_extension.reference.service import base

_NOT_FOUND = exceptions.VolumeTypeNotFound


def find(
    conn: sa.Connection, context: base.Context, names_or_ids: Collection[str]
) -> list[records.VolumeType]:
    """The types of those names or ids, each once. One query.

    :raises InvalidInput: some are unknown; it names all of them.
    """
    found = [records.VolumeType(**values) for values in volume_types.find(conn, names_or_ids)]
    found = [item for item in found if _is_visible(context, item)]
    # An id wins over a name that looks like another type's id.
    known = {item.name: item for item in found} | {item.id: item for item in found}
    unknown = sorted(set(names_or_ids).difference(known))
    if unknown:
        raise exceptions.InvalidInput(
            reason=f"volume types that do not exist: {', '.join(unknown)}"
        )
    return list({known[name].id: known[name] for name in names_or_ids}.values())


def get(conn: sa.Connection, type_id: str) -> records.VolumeType:
    """The type that a stored resource has, whoever asks."""
    row = rows.get(conn, volume_types.TABLE, type_id)
    if row is None:
        raise _NOT_FOUND(id=type_id)
    return _record(row, volume_types.extra_specs(conn, [type_id])[type_id])


def _is_visible(context: base.Context, row: Any) -> bool:
    return bool(context.is_admin or row.is_public)


def _record(row: rows.Row, extra_specs: Mapping[str, str]) -> records.VolumeType:
    return records.VolumeType(**row._mapping, extra_specs=extra_specs)


def _taken(name: str) -> exceptions.Conflict:
    return exceptions.Conflict(
        reason=f"There is a volume type with the name {name}; names must differ."
    )


class VolumeTypes(base.Part):
    """Type calls of the host's API."""

    def list_types(
        self, context: base.Context, query: records.ListQuery
    ) -> records.Page[records.VolumeType]:
        """One page of the types that the caller may use. Filters: ``name``, ``is_public``."""
        if set(query.filters).difference(("name", "is_public")):
            raise exceptions.InvalidInput(reason="types can be filtered by name and is_public")
        scope = {} if context.is_admin else {"is_public": True}
        with self.read(context) as conn:
            found, has_more = base.checked_page(conn, volume_types.TABLE, query, scope)
            specs = volume_types.extra_specs(conn, [row.id for row in found])
        return records.Page(tuple(_record(row, specs[row.id]) for row in found), has_more)

    def get_type(self, context: base.Context, type_id: str) -> records.VolumeType:
        """:raises VolumeTypeNotFound: no such type, or none that the caller may see."""
        with self.read(context) as conn:
            return self._get(conn, context, rows.get(conn, volume_types.TABLE, type_id), type_id)

    def get_type_by_name(self, context: base.Context, name: str) -> records.VolumeType:
        """:raises VolumeTypeNotFound: no such type, or none that the caller may see."""
        with self.read(context) as conn:
            return self._get(conn, context, volume_types.get_by_name(conn, name), name)

    def type_names(self, context: base.Context, type_ids: Collection[str]) -> dict[str, str]:
        """The names of types that stored resources have, by id. One query."""
        with self.read(context) as conn:
            found = rows.get_many(conn, volume_types.TABLE, type_ids)
        return {type_id: row.name for type_id, row in found.items()}

    def get_default_type(self, context: base.Context) -> records.VolumeType:
        """The type for volumes whose request names none.

        :raises VolumeTypeNotFound: the configured one does not exist.
        """
        return self.get_type_by_name(context, self.conf.default_volume_type)

    def create_type(
        self,
        context: base.Context,
        *,
        name: str,
        description: str | None,
        is_public: bool,
        extra_specs: Mapping[str, str],
    ) -> records.VolumeType:
        """:raises Conflict: the name is taken."""
        type_id = uuidutils.generate_uuid()

        def work(transaction: base.Transaction) -> records.VolumeType:
            values: dict[str, Any] = {
                "id": type_id,
                "name": name,
                "description": description,
                "is_public": is_public,
                "created_at": transaction.now,
            }
            try:
                rows.insert(transaction.conn, volume_types.TABLE, [values])
            except db_exception.DBDuplicateEntry:
                raise _taken(name) from None
            pairs.insert(transaction.conn, volume_types.EXTRA_SPECS, {type_id: extra_specs})
            return records.VolumeType(**values, extra_specs=dict(extra_specs))

        return self.write(work)

    def update_type(
        self,
        context: base.Context,
        type_id: str,
        *,
        name: str | None,
        description: str | None,
        is_public: bool | None,
    ) -> records.VolumeType:
        """Change what is not None.

        :raises VolumeTypeNotFound: no such type.
        :raises InvalidState: it is the default, and would have another name.
        :raises Conflict: the name is taken.
        """
        given = {"name": name, "description": description, "is_public": is_public}
        changes = {key: value for key, value in given.items() if value is not None}

        def work(transaction: base.Transaction) -> records.VolumeType:
            conn = transaction.conn
            values = {**changes, "updated_at": transaction.now}
            if name not in (None, self.conf.default_volume_type):
                self._check_is_no_default(conn, type_id, "given another name")
            try:
                found = rows.change(conn, volume_types.TABLE, [type_id], values)
            except db_exception.DBDuplicateEntry:
                raise _taken(str(name)) from None
            if not found:
                raise _NOT_FOUND(id=type_id)
            return get(conn, type_id)

        return self.write(work)

    def delete_type(self, context: base.Context, type_id: str) -> None:
        """:raises VolumeTypeNotFound: no such type.
        :raises InvalidState: volumes or groups have it, or it is the default.
        """

        def work(transaction: base.Transaction) -> None:
            conn = transaction.conn
            used = exceptions.InvalidState(
                reason=f"Volume type {type_id} is in use; delete its volumes and groups first."
            )
            self._check_is_no_default(conn, type_id, "deleted")
            if volume_types.is_used(conn, type_id):
                raise used
            try:
                deleted = rows.delete(conn, volume_types.TABLE, [type_id])
            except db_exception.DBReferenceError:
                raise used from None
            if not deleted:
                raise _NOT_FOUND(id=type_id)

        self.write(work)

    def set_type_extra_specs(
        self, context: base.Context, type_id: str, specs: Mapping[str, str]
    ) -> dict[str, str]:
        """Add or change extra specs; gives all that the type has then."""

        def work(transaction: base.Transaction) -> dict[str, str]:
            conn = transaction.conn
            if not rows.change(
                conn, volume_types.TABLE, [type_id], {"updated_at": transaction.now}
            ):
                raise _NOT_FOUND(id=type_id)
            pairs.update(conn, volume_types.EXTRA_SPECS, type_id, specs)
            return volume_types.extra_specs(conn, [type_id])[type_id]

        return self.write(work)

    def delete_type_extra_spec(self, context: base.Context, type_id: str, key: str) -> None:
        """:raises NotFound: no such type, or it has no such extra spec."""

        def work(transaction: base.Transaction) -> None:
            if not pairs.delete(transaction.conn, volume_types.EXTRA_SPECS, type_id, [key]):
                raise exceptions.NotFound(f"Volume type {type_id} has no extra spec {key}.")

        self.write(work)

    def _check_is_no_default(self, conn: sa.Connection, type_id: str, what: str) -> None:
        """Without the type of that name, volumes that ask for none could join no group.

        :raises InvalidState: it is that type.
        """
        default = volume_types.get_by_name(conn, self.conf.default_volume_type)
        if default is not None and default.id == type_id:
            raise exceptions.InvalidState(
                reason=f"Volume type {default.name} is the default_volume_type of the "
                f"configuration, so it can't be {what}; configure another one first."
            )

    def _get(
        self, conn: sa.Connection, context: base.Context, row: rows.Row | None, name: str
    ) -> records.VolumeType:
        if row is None or not _is_visible(context, row):
            raise _NOT_FOUND(id=name)
        return _record(row, volume_types.extra_specs(conn, [row.id])[row.id])
