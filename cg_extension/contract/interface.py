# SPDX-License-Identifier: Apache-2.0
"""Seam 1: the calls that the API's controllers make, implemented once for each host.

Implementations own checks against stored state, quota, durability and execution; the API owns
the form of requests and answers, and policy. So an implementation may rely on the following, and
does not check it again:

- policy allows the call;
- ids of groups and group snapshots are UUIDs, though perhaps of nothing that exists;
- names, descriptions and zones are text of at most 255 characters that every database can store;
- no list has an entry twice; the entries (ids of volumes, names or ids of types) may be any text.

Every call raises exceptions of ``contract.exceptions`` only: NotFound for what the caller's
project may not see, InvalidInput and InvalidState for 400, QuotaExceeded for 413. Calls that
change the world return as soon as the change is durably accepted, with the record as the client
is to see it.
"""

import abc
from collections.abc import Mapping, Sequence

from cg_extension.contract import context as cg_context
from cg_extension.contract import records

Context = cg_context.RequestContext


class GroupService(abc.ABC):
    """Consistency groups and group snapshots of one host."""

    @abc.abstractmethod
    def list_groups(
        self, context: Context, query: records.ListQuery
    ) -> records.Page[records.ListedGroup | records.Group]:
        """One page of groups. Filters: ``name``, ``status``, ``availability_zone``, ``project_id``.

        :raises InvalidInput: the marker is not a group that the caller's list could hold.
        """

    def list_group_names(
        self, context: Context, query: records.ListQuery
    ) -> records.Page[records.Name]:
        """``list_groups`` for callers who need no more than ids and names."""
        return _names(self.list_groups(context, query))

    @abc.abstractmethod
    def get_group(self, context: Context, group_id: str) -> records.Group:
        """:raises GroupNotFound: no such group, or another project's."""

    @abc.abstractmethod
    def create_group(
        self,
        context: Context,
        *,
        name: str | None,
        description: str | None,
        volume_types: Sequence[str],
        availability_zone: str | None,
    ) -> records.Group:
        """Accept a new, empty group.

        :param volume_types: names or ids, at least one.
        :raises InvalidInput: unknown types (all of them named), unknown zone.
        :raises QuotaExceeded: on ``groups``.
        """

    @abc.abstractmethod
    def create_group_from_src(
        self,
        context: Context,
        *,
        name: str | None,
        description: str | None,
        cgsnapshot_id: str | None = None,
        source_cgid: str | None = None,
    ) -> records.Group:
        """Accept a new group with one new volume for each of the source's.

        Exactly one of ``cgsnapshot_id`` and ``source_cgid`` is given.

        :raises NotFound: the source does not exist, or is another project's.
        :raises InvalidState: the source has no volumes, or is not available.
        :raises QuotaExceeded: on ``groups``, ``volumes`` or ``gigabytes``.
        """

    @abc.abstractmethod
    def update_group(
        self,
        context: Context,
        group_id: str,
        *,
        name: str | None = None,
        description: str | None = None,
        add_volumes: Sequence[str] = (),
        remove_volumes: Sequence[str] = (),
    ) -> None:
        """Change name, description or membership; all of it or nothing.

        None leaves a name or description as it is; an empty one is cleared. When only these two
        change, the group may have any status but ``deleting``, and keeps it. The API has checked
        that there is something to change and that no id is in both lists.

        :raises GroupNotFound: no such group.
        :raises InvalidState: the group or a volume does not allow it; says which and why.
        """

    @abc.abstractmethod
    def delete_group(self, context: Context, group_id: str, *, force: bool = False) -> None:
        """Accept the deletion of a group, and with ``force`` of its volumes as well.

        :raises GroupNotFound: no such group.
        :raises InvalidState: status, volumes, snapshots, attachments or a frozen backend forbid it.
        """

    @abc.abstractmethod
    def reset_group_status(self, context: Context, group_id: str, *, status: str) -> None:
        """Set a group's status by hand, and nothing else.

        :param status: one of ``statuses.GROUP.resettable``.
        :raises GroupNotFound: no such group.
        :raises InvalidState: an operation is known to be under way, which will set it itself.
        """

    @abc.abstractmethod
    def list_cgsnapshots(
        self, context: Context, query: records.ListQuery
    ) -> records.Page[records.CGSnapshot]:
        """One page of group snapshots. Filters: ``name``, ``status``, ``consistencygroup_id``,
        ``project_id``.

        :raises InvalidInput: the marker is not one that the caller's list could hold.
        """

    def list_cgsnapshot_names(
        self, context: Context, query: records.ListQuery
    ) -> records.Page[records.Name]:
        """``list_cgsnapshots`` for callers who need no more than ids and names."""
        return _names(self.list_cgsnapshots(context, query))

    @abc.abstractmethod
    def get_cgsnapshot(self, context: Context, cgsnapshot_id: str) -> records.CGSnapshot:
        """:raises CGSnapshotNotFound: no such group snapshot, or another project's."""

    def get_receipts(
        self, context: Context, cgsnapshot_ids: Sequence[str]
    ) -> Mapping[str, records.Receipt]:
        """Receipts by id of those of these group snapshots that have one, in one query.

        The API asks for no others than those that it has found for the caller.
        """
        return {}

    @abc.abstractmethod
    def create_cgsnapshot(
        self,
        context: Context,
        *,
        group_id: str,
        name: str | None,
        description: str | None,
    ) -> records.CGSnapshot:
        """Accept a snapshot of all of the group's volumes at one instant.

        :raises GroupNotFound: no such group.
        :raises InvalidState: the group is empty or not available, or a member is not available
            or in-use.
        :raises QuotaExceeded: on ``snapshots`` or ``gigabytes``.
        """

    @abc.abstractmethod
    def delete_cgsnapshot(self, context: Context, cgsnapshot_id: str) -> None:
        """Accept the deletion of a group snapshot and its snapshots.

        :raises CGSnapshotNotFound: no such group snapshot.
        :raises InvalidState: its status, a group being created from it or a frozen backend forbids
            it.
        """

    @abc.abstractmethod
    def reset_cgsnapshot_status(self, context: Context, cgsnapshot_id: str, *, status: str) -> None:
        """Set a group snapshot's status by hand; its snapshots keep theirs.

        :param status: one of ``statuses.CGSNAPSHOT.resettable``.
        :raises CGSnapshotNotFound: no such group snapshot.
        :raises InvalidState: as for ``reset_group_status``.
        """


def _names(
    page: records.Page[records.Resource | records.ListedGroup],
) -> records.Page[records.Name]:
    names = tuple(records.Name(id=item.id, name=item.name) for item in page.items)
    return records.Page(names, page.has_more)
