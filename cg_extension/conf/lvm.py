# SPDX-License-Identifier: Apache-2.0
"""Options of the LVM driver, in its backend's section."""

from oslo_config import cfg

OPTS: list[cfg.Opt] = []
