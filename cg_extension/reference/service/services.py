# SPDX-License-Identifier: Apache-2.0
"""Services, availability zones and health: what the host's API tells about the deployment."""

from typing import Any

from cg_extension.contract import exceptions, records
from cg_extension.reference.db import services
from cg_extension.reference.service import base, scheduler


class Services(base.Part):
    """Service calls of the host's API."""

    def list_services(
        self, context: base.Context, *, host: str | None = None, binary: str | None = None
    ) -> list[records.Service]:
        """Services by host; ``host`` alone stands for all of its backends."""
        with self.read(context) as conn:
            return scheduler.list_services(conn, self.conf, host=host, binary=binary)

    def update_service(
        self,
        context: base.Context,
        *,
        host: str,
        binary: str,
        disabled: bool | None = None,
        disabled_reason: str | None = None,
        frozen: bool | None = None,
    ) -> records.Service:
        """Disable, enable, freeze or thaw a backend; None leaves a flag as it is.

        :raises ServiceNotFound: there is none.
        """
        values: dict[str, Any] = {}
        if disabled is not None:
            values |= {
                "disabled": disabled,
                "disabled_reason": disabled_reason if disabled else None,
            }
        if frozen is not None:
            values["frozen"] = frozen

        def work(transaction: base.Transaction) -> records.Service:
            conn = transaction.conn
            if values:
                services.update(conn, host=host, binary=binary, values=values)
            for service in scheduler.list_services(conn, self.conf, host=host, binary=binary):
                if service.host == host:
                    return service
            raise exceptions.ServiceNotFound(host=host, binary=binary)

        return self.write(work)

    def list_availability_zones(self, context: base.Context) -> list[tuple[str, bool]]:
        """Names of zones, sorted, and whether something new can be put there."""
        with self.read(context) as conn:
            found = scheduler.zones(scheduler.list_services(conn, self.conf), self.conf)
        return sorted(found.items())

    def check_health(self) -> str | None:
        """What is degraded while requests are still served; None if nothing is.

        :raises ServiceUnavailable: the database does not answer, or no backend is up.
        """
        with self.read() as conn:
            if not any(service.is_up for service in scheduler.list_services(conn, self.conf)):
                raise exceptions.ServiceUnavailable(reason="No backend is up.")
        if not self.managers.is_reachable():
            return "The broker does not answer: work begins late, and no volume can be attached."
        return None
