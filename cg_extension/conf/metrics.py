# SPDX-License-Identifier: Apache-2.0
"""Options of the Prometheus metrics, which are off by default."""

from oslo_config import cfg

GROUP = "metrics"

OPTS = [
    cfg.PortOpt(
        "port",
        min=1,
        help="TCP port of its own on which this process serves Prometheus metrics; not set: none "
        "are served. Each process on a machine needs a port of its own, except the workers of "
        "one WSGI server: with the environment variable ``PROMETHEUS_MULTIPROC_DIR``, which names "
        "an empty directory, whichever of them has the port tells the figures of all.",
    ),
    cfg.HostAddressOpt(
        "listen",
        default="127.0.0.1",
        help="Address that the metrics are served on. They hold no names of projects or "
        "resources, but whoever reaches the port can read them without a token.",
    ),
]
