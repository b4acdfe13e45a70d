# SPDX-License-Identifier: Apache-2.0
"""Exceptions that cross the border: Cinder's raised as ours, and our engine's as Cinder's."""

import contextlib
from collections.abc import Iterator

import oslo_messaging
import sqlalchemy.exc
from cinder import exception
from oslo_db import exception as db_exception

from cg_extension.conf import errors as conf_errors
from cg_extension.contract import exceptions

# MariaDB's number of the error that it gives where a column can't be compared with a text for its
# characters; oslo.db passes it on as it is.
_ILLEGAL_MIX_OF_COLLATIONS = 1267


@contextlib.contextmanager
def from_cinder() -> Iterator[None]:
    """Raise what Cinder raises inside the block as an exception of ``contract.exceptions``.

    Cinder's base classes for 400, 403, 404, 409, 413 and 503 keep their meaning; anything else
    stays a fault of the server.
    """
    try:
        yield
    except exception.NotFound as error:
        raise _not_found(error) from error
    except exception.NotAuthorized as error:
        raise exceptions.Forbidden(error.msg) from error
    except exception.ServiceUnavailable as error:
        raise exceptions.ServiceUnavailable(reason=error.msg) from error
    except exception.QuotaError as error:
        raise exceptions.QuotaExceeded(error.msg) from error
    except exception.ResourceConflict as error:
        raise exceptions.Conflict(reason=error.msg) from error
    except exception.Invalid as error:
        raise exceptions.InvalidState(reason=error.msg) from error
    except (db_exception.DBConnectionError, db_exception.DBDeadlock) as error:
        raise exceptions.ServiceUnavailable(
            reason="Cinder's database can't be reached or is too busy now; try again later."
        ) from error
    except db_exception.DBError as error:
        if not isinstance(error.inner_exception, sqlalchemy.exc.DataError):
            raise
        raise _not_storable() from error
    except sqlalchemy.exc.OperationalError as error:
        if getattr(error.orig, "args", ())[:1] != (_ILLEGAL_MIX_OF_COLLATIONS,):
            raise
        raise _not_storable() from error
    except oslo_messaging.MessagingTimeout as error:
        raise exceptions.ServiceUnavailable(
            reason="Cinder's scheduler did not answer in time; try again later."
        ) from error
    except oslo_messaging.MessageDeliveryFailure as error:
        raise exceptions.ServiceUnavailable(
            reason="Cinder's message broker can't be reached now; try again later."
        ) from error


def _not_storable() -> exceptions.InvalidInput:
    """On MariaDB Cinder's tables are in its three-byte utf8."""
    return exceptions.InvalidInput(
        reason="Cinder's database can't store one of the characters given."
    )


def _not_found(error: exception.NotFound) -> exceptions.NotFound:
    """Not all of Cinder's have the id: those of a row that is gone when it is to be saved don't."""
    match error.kwargs:
        case {"group_id": id} if isinstance(error, exception.GroupNotFound):
            return exceptions.GroupNotFound(id=id)
        case {"group_snapshot_id": id} if isinstance(error, exception.GroupSnapshotNotFound):
            return exceptions.CGSnapshotNotFound(id=id)
    return exceptions.NotFound(error.msg)


@contextlib.contextmanager
def to_cinder() -> Iterator[None]:
    """Raise what our engine raises inside the block as what Cinder's volume manager reacts to.

    After anything but its own exceptions it leaves a group snapshot in ``creating`` for good; and
    what starts or loses the privileged helper raises others than the engine's.
    """
    try:
        yield
    except exception.CinderException:
        raise
    except Exception as error:
        raise exception.VolumeBackendAPIException(data=conf_errors.describe(error)) from error
