# SPDX-License-Identifier: Apache-2.0
"""How a guest sees this checkout: its code in place, its entry points and commands as installed."""

import configparser
import os
import pathlib
import shlex
import tarfile

from guest import tree

# Versions come from git's tags, which nothing in a guest reads.
VERSION = "0"
# Run in the guest, which has a tree or an image to itself: what ``pip install --editable`` does.
_INSTALL = """\
cd {environment}/lib/python3*/site-packages
echo {root} >cg_extension.pth
cp -r {directory}/*.dist-info .
cp {directory}/bin/* {environment}/bin/
"""


def install(directory: pathlib.Path) -> str:
    """Write what a guest needs to a directory that it sees under the same path.

    :return: the shell commands by which the guest then installs it.
    """
    setup = configparser.ConfigParser()
    setup.optionxform = str  # type: ignore[assignment,method-assign]
    setup.read(tree.ROOT / "setup.cfg")
    name = setup["metadata"]["name"]
    described = directory / f"{name}-{VERSION}.dist-info"
    described.mkdir(parents=True)
    (described / "METADATA").write_text(
        f"Metadata-Version: 2.1\nName: {name}\nVersion: {VERSION}\n"
    )
    entry_points = setup["options.entry_points"]
    (described / "entry_points.txt").write_text(
        "".join(f"[{group}]\n{lines.strip()}\n\n" for group, lines in entry_points.items())
    )
    commands = directory / "bin"
    commands.mkdir()
    for line in entry_points["console_scripts"].strip().splitlines():
        command, _, target = line.partition(" = ")
        module, _, function = target.partition(":")
        file = commands / command
        file.write_text(
            f"#!{tree.PYTHON}\nimport sys\n\nfrom {module} import {function}\n\n"
            f"sys.exit({function}())\n"
        )
        file.chmod(0o755)
    return _INSTALL.format(
        directory=shlex.quote(str(directory)),
        root=shlex.quote(str(tree.ROOT)),
        environment=pathlib.PurePath(tree.PYTHON).parents[1],
    )


def copy(archive: pathlib.Path) -> str:
    """Write the checkout to an archive that a guest sees under the same path.

    For guests that take long to open a file of this machine.

    :return: the shell commands that unpack it under the checkout's own path.
    """
    with tarfile.open(archive, "w") as packed:
        for path in tree.ROOT.iterdir():
            if not path.name.startswith("."):  # environments, caches, git's
                packed.add(path, path.name)
    root = shlex.quote(str(tree.ROOT))
    return f"mkdir -p {root}\ntar -xf {shlex.quote(str(archive))} -C {root}"


def environment() -> dict[str, str]:
    """Variables for a command in a guest: a tree's own, and those of this process for tests."""
    passed_on = {
        key: value
        for key, value in os.environ.items()
        if key.startswith(("CG_", "OS_TEST_")) or key in ("PYTHONFAULTHANDLER", "PYTHONWARNINGS")
    }
    path = f"{pathlib.PurePath(tree.PYTHON).parent}:/usr/sbin:/usr/bin:/sbin:/bin"
    # Halves the time of a command's start; no guest looks up names.
    spared = {"EVENTLET_NO_GREENDNS": "yes"}
    return {"HOME": "/root", "LANG": "C.UTF-8", "PATH": path, **spared, **passed_on}
