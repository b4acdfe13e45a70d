# SPDX-License-Identifier: Apache-2.0
"""Options of the manager: which backends it runs, and how it carries out operations."""

import socket

from cg_extension.conf import kinds

GROUP = None

OPTS = [
    kinds.TextOpt(
        "host",
        forbidden=" @#/",
        max_length=120,
        default=socket.gethostname(),
        sample_default="<this machine's host name>",
        help="Name of this manager's host in ``host@backend``. Managers that share a backend "
        "(active-active) have the same ``host``.",
    ),
    kinds.NamesOpt(
        "enabled_backends",
        forbidden=" @#/[]",
        default=[],
        help="Names of the backends that this manager runs; each has a section of its own with "
        "at least ``volume_driver``.",
    ),
    kinds.IntOpt(
        "operation_workers",
        default=8,
        min=1,
        max=256,
        help="Operations that one backend carries out at the same time.",
    ),
    kinds.FloatOpt(
        "operation_poll_interval",
        default=5.0,
        min=0.05,
        max=3600.0,
        help="Seconds between two polls for work that no wake-up announced (broker down, work "
        "left by a manager that died).",
    ),
    kinds.FloatOpt(
        "operation_lease",
        default=30.0,
        min=1.0,
        max=86_400.0,
        help="Seconds for which a manager claims an operation; renewed after each third of that. "
        "When a manager dies, another one of the same backend, which checks leases as often, takes "
        "over after this time or up to a third more.",
    ),
    kinds.IntOpt(
        "operation_max_attempts",
        default=3,
        min=1,
        max=100,
        help="How often an operation is tried before its resource goes to an error status.",
    ),
    kinds.FloatOpt(
        "operation_retry_delay",
        default=1.0,
        min=0.0,
        max=3600.0,
        help="Seconds before the second attempt of an operation; doubled for each further one.",
    ),
    kinds.FloatOpt(
        "report_interval",
        default=10.0,
        min=0.1,
        max=3600.0,
        help="Seconds between two heartbeats of a backend, each with its capacity.",
    ),
    kinds.FloatOpt(
        "service_down_time",
        default=60.0,
        min=0.2,
        max=86_400.0,
        help="Seconds without a heartbeat after which a backend counts as down. It must be more "
        "than ``report_interval``.",
    ),
    kinds.FloatOpt(
        "shutdown_timeout",
        default=60.0,
        min=0.0,
        max=86_400.0,
        help="Seconds that a stop waits for running operations; those that take longer are left "
        "for recovery.",
    ),
]
