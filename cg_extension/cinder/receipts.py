# SPDX-License-Identifier: Apache-2.0
"""Where Cinder keeps the receipt of a group snapshot: as JSON in ``provider_id`` of its snapshots.

Its table of group snapshots has no column for it, and users can change a snapshot's metadata. No
user sees ``provider_id`` of a snapshot, which Cinder's LVM driver leaves empty. A target that sets
it (that of SPDK, of a snapshot that is exported) takes that snapshot's note; any other's will do.
"""

import dataclasses
import datetime
import json
from collections.abc import Sequence

import sqlalchemy as sa

from cg_extension.cinder.context import of_cinder
from cg_extension.cinder.database import api as db
from cg_extension.cinder.database import models
from cg_extension.contract import interface, records

# The key under which a note has the receipt; nobody else's ``provider_id`` has it.
_KEY = "cg-receipt"
# Cinder's column holds no more.
_MOST = 255


def note(receipt: records.Receipt | None) -> dict[str, str]:
    """What a snapshot's model update takes for it; nothing for none."""
    if receipt is None:
        return {}
    values = {**dataclasses.asdict(receipt), "instant": receipt.instant.isoformat()}
    text = json.dumps({_KEY: values})
    return {"provider_id": text} if len(text) <= _MOST else {}


def read(text: str | None) -> records.Receipt | None:
    """The receipt that a snapshot's ``provider_id`` has; None: it is something else."""
    try:
        values = json.loads(text or "")[_KEY]
        return records.Receipt(
            instant=datetime.datetime.fromisoformat(values["instant"]),
            held_seconds=float(values["held_seconds"]),
            consistency=str(values["consistency"]),
        )
    except (ValueError, KeyError, TypeError):
        return None


def of_group_snapshots(
    context: interface.Context, ids: Sequence[str]
) -> dict[str, records.Receipt]:
    """The receipts that there are of these group snapshots, by id, in one query."""
    if not ids:
        return {}
    snapshot = models.Snapshot
    statement = (
        sa.select(snapshot.group_snapshot_id, snapshot.provider_id)
        .where(snapshot.group_snapshot_id.in_(ids), snapshot.provider_id.is_not(None))
        .where(~snapshot.deleted)
        .distinct()
    )
    with db.main_context_manager.reader.using(of_cinder(context)) as session:
        notes = [(id, read(text)) for id, text in session.execute(statement)]
    return {id: receipt for id, receipt in notes if receipt is not None}
