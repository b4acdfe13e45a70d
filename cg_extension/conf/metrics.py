# SPDX-License-Identifier: Apache-2.0
"""Options of the Prometheus metrics, which are off by default."""

from oslo_config import cfg

GROUP = "metrics"

OPTS = [
    cfg.PortOpt(
        "port",
        min=1,
        help="TCP port on which this process serves Prometheus metrics, and nothing else; not set: "
        "none are served. Each process on a machine needs a port of its own, except the workers of "
        "one WSGI server: if the environment variable ``PROMETHEUS_MULTIPROC_DIR`` names an empty "
        "directory, the worker that gets the port serves the figures of all of them.",
    ),
    cfg.HostAddressOpt(
        "listen",
        default="127.0.0.1",
        help="Address that the metrics are served on. They hold no names of projects or "
        "resources, but anyone who reaches the port can read them without a token.",
    ),
]
