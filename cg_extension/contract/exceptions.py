# SPDX-License-Identifier: Apache-2.0
"""The one exception hierarchy of the service; each class has a message template and an HTTP code.

Errors are raised where they are found, and only ``api.faults`` turns them into answers. A
message says what was wrong and what would be right, and names no path, no SQL and no secret.
"""


class CGExtensionError(Exception):
    """Base of all errors that a client may see. ``code`` is the HTTP status of the answer."""

    message = "The service could not carry out the request."
    code = 500
    headers: dict[str, str] = {}

    def __init__(self, message: str | None = None, **values: object) -> None:
        self.msg = message if message is not None else self.message % values
        super().__init__(self.msg)


class InvalidInput(CGExtensionError):
    """The request is malformed or contradicts itself."""

    message = "Invalid input: %(reason)s"
    code = 400


class InvalidState(CGExtensionError):
    """The request is well formed but the resource's state forbids it."""

    message = "%(reason)s"
    code = 400


class GroupHasVolumes(InvalidState):
    message = (
        "Consistency group %(id)s has volumes; remove them first, or delete them with it: "
        'POST /consistencygroups/%(id)s/delete with {"consistencygroup": {"force": true}}.'
    )


class Unauthorized(CGExtensionError):
    message = "A valid token is required in the X-Auth-Token header."
    code = 401


class Forbidden(CGExtensionError):
    message = "Policy doesn't allow %(action)s to be performed."
    code = 403


class NotFound(CGExtensionError):
    """A resource that does not exist, or that the caller's project may not see."""

    message = "The resource could not be found."
    code = 404


class GroupNotFound(NotFound):
    message = "Consistency group %(id)s could not be found."


class CGSnapshotNotFound(NotFound):
    message = "Group snapshot %(id)s could not be found."


class VolumeNotFound(NotFound):
    message = "Volume %(id)s could not be found."


class SnapshotNotFound(NotFound):
    message = "Snapshot %(id)s could not be found."


class VolumeTypeNotFound(NotFound):
    message = "Volume type %(id)s could not be found."


class ServiceNotFound(NotFound):
    message = "Service %(binary)s on host %(host)s could not be found."


class NotAcceptable(CGExtensionError):
    """The request asks for a version that does not exist."""

    message = "%(reason)s"
    code = 406


class Conflict(CGExtensionError):
    message = "%(reason)s"
    code = 409


class OverLimit(CGExtensionError):
    """A request that is larger than what is accepted."""

    message = "%(reason)s"
    code = 413


class QuotaExceeded(OverLimit):
    """``resource`` is the quota's name; the numbers count in its unit."""

    message = (
        "Quota exceeded for %(resource)s: %(requested)s requested, %(used)s of %(allowed)s used."
    )
    headers = {"Retry-After": "0"}


class ServiceUnavailable(CGExtensionError):
    message = "%(reason)s"
    code = 503
