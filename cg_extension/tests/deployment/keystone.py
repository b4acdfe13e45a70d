# SPDX-License-Identifier: Apache-2.0
"""A real Keystone on SQLite, which a test may crash and start again.

It has users named by their roles, each of which has the role in every project, and a user for a
service that checks tokens. What it lists as block storage is up to the test: ``publish``.
"""

import configparser
import functools
import getpass
import grp
import os
import pathlib
import uuid
from collections.abc import Mapping
from typing import Any

import yaml
from keystoneauth1 import session
from keystoneauth1.exceptions import ClientException
from keystoneauth1.identity import v3

from cg_extension.tests import lasting, waiting
from cg_extension.tests.deployment import processes, servers, warm

ADMIN = "admin"
"""The administrator, of the whole system, too."""

MEMBER = "member"
READER = "reader"

SERVICE = "service"
"""Who checks tokens: with the role of that name, in the project of that name."""

PASSWORD = "secret"
DOMAIN = "default"
REGION = "one"

CATALOG_TYPES = ("block-storage", "volumev3")
"""Types under which deployments list a service like ours."""

SECTION = "keystone_authtoken"
"""Of a service's configuration; see ``Keystone.middleware_options``."""

# Not as in a deployment: a hash of a password takes a tenth of a second there.
_HASH_ROUNDS = 4
# Seconds of a token: longer than any run of tests.
_LIFETIME = 24 * 3600
_MANAGE = "keystone.cmd.manage:main"
_SERVER = "gunicorn.app.wsgiapp:run"
_GUNICORN = """\
wsgi_app = "keystone.wsgi.api:application"
threads = 4
control_socket_disable = True
"""


class Keystone(servers.Server):
    """``url`` is its address without a version."""

    _process_type = staticmethod(functools.partial(processes.PythonProcess, modules=warm.KEYSTONE))

    def _setUp(self) -> None:
        super()._setUp()
        self._session = self.session(ADMIN, system=True)
        self._roles = {role["name"]: role["id"] for role in self.call("GET", "/roles")["roles"]}
        for user in (ADMIN, MEMBER, READER):
            path = f"/OS-INHERIT/domains/{DOMAIN}/users/{self._user(user)}"
            self.call("PUT", f"{path}/roles/{self._roles[user]}/inherited_to_projects")
        self._service_project = self.new_project(SERVICE)
        path = f"/projects/{self._service_project}/users/{self._user(SERVICE)}"
        self.call("PUT", f"{path}/roles/{self._roles[SERVICE]}")

    def _user(self, name: str) -> str:
        """The id of a user, who is made if there is none of that name."""
        found = self.call("GET", f"/users?name={name}")["users"]
        if not found:
            user = {"name": name, "password": PASSWORD, "domain_id": DOMAIN}
            found = [self.call("POST", "/users", {"user": user})["user"]]
        return str(found[0]["id"])

    def call(self, method: str, path: str, body: object | None = None) -> Any:
        """What Keystone's API answers its administrator; ``path`` is without ``/v3``.

        :raises keystoneauth1.exceptions.HttpError: it refused.
        """
        answer = self._session.request(f"{self.url}/v3{path}", method, json=body)
        return answer.json() if answer.content else None

    def new_project(self, name: str = "") -> str:
        """The id of a project that no test has used."""
        project = {"name": name or uuid.uuid4().hex, "domain_id": DOMAIN}
        return str(self.call("POST", "/projects", {"project": project})["project"]["id"])

    def publish(self, url: str, service_type: str = CATALOG_TYPES[0]) -> None:
        """Have the catalog list a service at ``url`` as the only block storage."""
        for service in self.call("GET", "/services")["services"]:
            if service["type"] in CATALOG_TYPES:
                self.call("DELETE", f"/services/{service['id']}")
        service = self.call("POST", "/services", {"service": {"type": service_type}})["service"]
        endpoint = {
            "service_id": service["id"],
            "interface": "public",
            "region_id": REGION,
            "url": f"{url}/v3/$(project_id)s",
        }
        self.call("POST", "/endpoints", {"endpoint": endpoint})

    def login(self, user: str, project: str | None = None, *, system: bool = False) -> dict:
        """What a client needs to log in with a password; without a project: of no scope."""
        scope = {"project_id": project} if project else {"system_scope": "all"} if system else {}
        return {
            "auth_url": f"{self.url}/v3",
            "username": user,
            "password": PASSWORD,
            "user_domain_id": DOMAIN,
            **scope,
        }

    def session(
        self, user: str, project: str | None = None, *, system: bool = False
    ) -> session.Session:
        """The calls of a user."""
        return session.Session(v3.Password(**self.login(user, project, system=system)))

    def token(self, user: str, project: str | None = None, *, system: bool = False) -> str:
        """A new token; parameters as for ``login``."""
        return str(self.session(user, project, system=system).get_token())

    def service_token(self) -> str:
        """A token of the service's own user."""
        return self.token(SERVICE, self._service_project)

    def expired_token(self, user: str, project: str) -> str:
        """A token whose time is over."""
        port = processes.free_port()
        # Which the same Keystone, but for one option, has given.
        environment = {**self._environment(port), "OS_TOKEN__EXPIRATION": "1"}
        hasty = self._process_type("hasty", [_SERVER], self.directory / "hasty.log", environment)
        hasty.start()
        try:
            login = {**self.login(user, project), "auth_url": f"http://127.0.0.1:{port}/v3"}
            auth = v3.Password(**login)
            waiting.eventually(lambda: _answers(auth), "a second Keystone answers", pause=0.2)
        finally:
            hasty.stop()
        access = auth.auth_ref
        waiting.eventually(lambda: access.will_expire_soon(-1), "the token's time is over")
        return str(access.auth_token)

    def middleware_options(self) -> dict[str, str]:
        """What ``[keystone_authtoken]`` needs to check tokens here."""
        return {
            "auth_type": "password",
            "auth_url": f"{self.url}/v3",
            "www_authenticate_uri": f"{self.url}/v3",
            "interface": "public",
            "username": SERVICE,
            "password": PASSWORD,
            "user_domain_id": DOMAIN,
            "project_name": SERVICE,
            "project_domain_id": DOMAIN,
        }

    def _answers(self) -> bool:
        return _answers(v3.Password(**self.login(ADMIN, system=True)))

    def _prepare(self) -> list[str]:
        self.url = f"http://127.0.0.1:{self.port}"
        self._conf_file = self.directory / "keystone.conf"
        parser = configparser.RawConfigParser()
        parser.read_dict(
            {
                "database": {"connection": f"sqlite:///{self.directory}/keystone.sqlite"},
                "fernet_tokens": {"key_repository": self.directory / "token-keys"},
                "fernet_receipts": {"key_repository": self.directory / "receipt-keys"},
                "identity": {"password_hash_rounds": _HASH_ROUNDS},
                "token": {"expiration": _LIFETIME},
            }
        )
        with self._conf_file.open("w") as file:
            parser.write(file)
        self._manage("db_sync")
        group = grp.getgrgid(os.getegid()).gr_name
        self._manage(
            *("fernet_setup", "--keystone-user", getpass.getuser(), "--keystone-group", group)
        )
        self._manage(
            *("bootstrap", "--bootstrap-username", ADMIN, "--bootstrap-password", PASSWORD),
            *("--bootstrap-region-id", REGION, "--bootstrap-public-url", f"{self.url}/v3"),
        )
        # Keystone takes a command line for its own: gunicorn has none, and reads this.
        (self.directory / "gunicorn.conf.py").write_text(_GUNICORN)
        return [_SERVER]

    def _environment(self, port: int = 0) -> dict[str, str]:
        address = f"127.0.0.1:{port or self.port}"
        return {
            "OS_KEYSTONE_CONFIG_FILES": str(self._conf_file),
            "GUNICORN_CMD_ARGS": f"--config={self.directory}/gunicorn.conf.py --bind={address}",
        }

    def _manage(self, *arguments: str) -> None:
        """Run keystone-manage to its end."""
        done = warm.run(
            *(_MANAGE, ["--config-file", str(self._conf_file), *arguments]),
            modules=warm.KEYSTONE,
            timeout=120,
        )
        if done.returncode:
            raise RuntimeError(f"keystone-manage {arguments[0]}: {done.stdout}{done.stderr}")


def _answers(auth: v3.Password) -> bool:
    """Whether a login succeeds."""
    try:
        return bool(session.Session(auth).get_token())
    except ClientException:
        return False


@functools.cache
def shared() -> Keystone:
    """The Keystone of this process, started when first asked for."""
    return lasting.start(Keystone())


def write_clouds(file: pathlib.Path, clouds: Mapping[str, Mapping[str, Any]]) -> dict[str, str]:
    """Write a user's clouds.yaml.

    :param clouds: by name what ``auth`` and ``auth_type`` are; all of them are at ``REGION``.
    :return: the variables by which clients find it.
    """
    described = {name: {"region_name": REGION, **cloud} for name, cloud in clouds.items()}
    file.write_text(yaml.safe_dump({"clouds": described}))
    # Not by the home directory, which the client looks at when it is imported; see ``warm``.
    return {"OS_CLIENT_CONFIG_FILE": str(file)}
