# SPDX-License-Identifier: Apache-2.0
"""All options in code, one module per subject; only ``check`` reads their values.

``register_opts`` puts them on a ConfigOpts; ``register_backend_opts`` adds a backend's section.
"""

from collections.abc import Sequence

from oslo_config import cfg

from cg_extension.conf import api, backend, errors, host, manager, metrics, quota, responses

_MODULES = (api, responses, host, quota, manager, metrics)


def register_opts(conf: cfg.ConfigOpts) -> None:
    """Register the options of every subject in its group."""
    for module in _MODULES:
        conf.register_opts(module.OPTS, group=module.GROUP)


def register_backend_opts(
    conf: cfg.ConfigOpts, section: str, driver_opts: Sequence[cfg.Opt] = ()
) -> None:
    """Register, in the group ``section``, the options of every backend and those of its driver.

    :raises errors.StartError: other options have a section of this name.
    """
    is_taken = section in conf and "volume_driver" not in conf[section]
    if is_taken or section == "DEFAULT":
        raise errors.StartError(
            f"enabled_backends: No backend can be called {section}, which is the name of other "
            "options; call it something else"
        )
    conf.register_opts([*backend.OPTS, *driver_opts], group=section)


def list_opts() -> list[tuple[str, list[cfg.Opt]]]:
    """Options by group, for the sample file's generator, which calls a backend ``backend1``."""
    from cg_extension.conf import file, lvm

    listed = [(module.GROUP or "DEFAULT", list(module.OPTS)) for module in _MODULES]
    listed.append(("backend1", [*backend.OPTS, *file.OPTS, *lvm.OPTS]))
    return listed
