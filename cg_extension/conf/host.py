# SPDX-License-Identifier: Apache-2.0
"""Options of the reference host: where it listens, whom it lets in, which defaults it has."""

from oslo_config import cfg

from cg_extension.conf import kinds

GROUP = None

OPTS = [
    cfg.HostAddressOpt(
        "osapi_volume_listen",
        default="127.0.0.1",
        help="Address that the API listens on. Anything but loopback needs an auth strategy that "
        "checks credentials (``keystone`` or ``http_basic``), or ``allow_noauth_on_network``.",
    ),
    kinds.IntOpt(
        "osapi_volume_listen_port",
        default=8776,
        min=0,
        max=65_535,
        help="TCP port of the API; 0: any that is free.",
    ),
    kinds.IntOpt(
        "osapi_volume_threads",
        default=16,
        min=1,
        max=1024,
        help="Threads that serve API requests in one process of cg-api or cg-standalone.",
    ),
    cfg.StrOpt(
        "auth_strategy",
        default="noauth",
        choices=[
            (
                "noauth",
                "the token is USER:PROJECT[:ROLE,…] and is believed; for one machine, no proxy",
            ),
            ("keystone", "keystonemiddleware checks the token; see [keystone_authtoken]"),
            ("http_basic", "user names and passwords from http_basic_auth_user_file"),
        ],
        help="How the API learns who the caller is: the name of a pipeline in the paste file.",
    ),
    cfg.BoolOpt(
        "allow_noauth_on_network",
        default=False,
        help="Let ``noauth`` listen on an address that is not loopback, take requests from other "
        "machines, and stand behind a proxy. Anyone who reaches the port is then an "
        "administrator.",
    ),
    kinds.TextOpt(
        "http_basic_auth_user_file",
        max_length=4096,
        default="$state_path/htpasswd",
        help="Users and bcrypt hashes for the ``http_basic`` strategy, in htpasswd format. Each "
        "user is an administrator; the project is the one in the request's path, which must have "
        "one.",
    ),
    kinds.TextOpt(
        "group_service",
        default="reference",
        help="Entry point name under ``cg_extension.services`` of the service that carries out the "
        "API's calls: ``reference``, or one of another package, such as a subclass of "
        "``cg_extension.reference.service.ReferenceService``.",
    ),
    cfg.StrOpt(
        "api_paste_config",
        help="Paste file with the API's pipelines. Default: api-paste.ini beside the "
        "configuration file if there is one, else the one that comes with the package.",
    ),
    kinds.TextOpt(
        "state_path",
        max_length=4096,
        default="/var/lib/cg_extension",
        help="Directory for what the service keeps: SQLite database, file driver's volumes.",
    ),
    kinds.TextOpt(
        "storage_availability_zone",
        default="nova",
        help="Availability zone of this manager's backends that don't name one of their own.",
    ),
    cfg.StrOpt(
        "default_availability_zone",
        help="Zone of a volume or group whose request names none. Default: the value of "
        "``storage_availability_zone``.",
    ),
    kinds.TextOpt(
        "default_volume_type",
        default="__DEFAULT__",
        help="Name of the type of a volume whose request names none; created by "
        "``cg-manage db sync`` and at the start of cg-standalone.",
    ),
]
