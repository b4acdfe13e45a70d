# SPDX-License-Identifier: Apache-2.0
"""All options in code, one module per subject; only ``check`` reads their values.

``register_opts`` puts them on a ConfigOpts; ``register_backend_opts`` adds a backend's section.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from cg_extension.conf import errors

if TYPE_CHECKING:
    from oslo_config import cfg


def _subjects() -> Sequence[Any]:
    """The modules with a subject's options; cg-lvm, which has none, need not wait for them."""
    from cg_extension.conf import api, host, manager, metrics, quota, responses

    return (api, responses, host, quota, manager, metrics)


def register_opts(conf: "cfg.ConfigOpts") -> None:
    """Register the options of every subject in its group."""
    for module in _subjects():
        conf.register_opts(module.OPTS, group=module.GROUP)


def register_backend_opts(
    conf: "cfg.ConfigOpts", section: str, driver_opts: "Sequence[cfg.Opt]" = ()
) -> None:
    """Register, in the group ``section``, the options of every backend and those of its driver.

    :raises errors.StartError: other options have a section of this name.
    """
    from cg_extension.conf import backend

    is_taken = section in conf and "volume_driver" not in conf[section]
    if is_taken or section == "DEFAULT":
        raise errors.StartError(
            f"enabled_backends: No backend can be called {section}, which is the name of other "
            "options; call it something else"
        )
    conf.register_opts([*backend.OPTS, *driver_opts], group=section)


def list_opts() -> "list[tuple[str, list[cfg.Opt]]]":
    """Options by group, for the sample file's generator, which calls a backend ``backend1``."""
    from cg_extension.conf import backend, file, lvm

    listed = [(module.GROUP or "DEFAULT", list(module.OPTS)) for module in _subjects()]
    listed.append(("backend1", [*backend.OPTS, *file.OPTS, *lvm.OPTS]))
    return listed
