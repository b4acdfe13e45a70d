#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Builds Debian packages of this checkout: ``build_packages.py DIRECTORY`` puts them there.

What is committed is built on a tree of the release (guest/chroot.py), with what its archive has and
nothing else; the unit tests run with that as well, and lintian looks at the result. The version is
git's: 1.2.0 at the tag, 1.2.1~dev3+gCOMMIT three commits later. Needs root, as trees do.
"""

import argparse
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))

from guest import chroot, tree

SOURCE = "cg-extension"
# Run on the tree, in the clone.
_BUILD = """\
version=$(git config --global safe.directory '*' && python3 -m setuptools_scm)
version=$(echo "$version" | sed 's/\\.dev/~dev/')
cat >debian/changelog <<END
{source} ($version) {release}; urgency=medium

  * Built from commit $(git rev-parse HEAD).

 -- $(sed -n 's/^Maintainer: //p' debian/control)  $(git log -1 --format=%cD)
END
dpkg-buildpackage --no-sign --build=full
lintian --allow-root --info --display-info --fail-on error,warning ../*.changes
"""


def build(release: str, directory: pathlib.Path, tests: bool = True) -> list[pathlib.Path]:
    """Build the packages into a directory, which is made; gives back their files.

    :param tests: run the unit tests while building.
    :raises subprocess.CalledProcessError: it failed; what the programs said was shown.
    """
    with tempfile.TemporaryDirectory(prefix="packages", dir="/var/tmp") as name:
        work = pathlib.Path(name)
        clone = work / SOURCE
        subprocess.run(["git", "clone", "--quiet", str(tree.ROOT), str(clone)], check=True)
        options = "" if tests else "DEB_BUILD_OPTIONS=nocheck "
        script = f"cd {clone}\nexport {options}HOME=/root\n" + _BUILD.format(
            source=SOURCE, release=release
        )
        command = ["sh", "-ec", script]
        if status := chroot.run(command, release, "packaging", [work]):
            raise subprocess.CalledProcessError(status, "dpkg-buildpackage")
        directory.mkdir(parents=True, exist_ok=True)
        made = [path for path in work.iterdir() if path.is_file()]
        return [pathlib.Path(shutil.copy(path, directory)) for path in made]


def main() -> int:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--release", choices=tree.RELEASES, default="trixie")
    parser.add_argument("--no-tests", action="store_true", help="leave out the unit tests")
    parser.add_argument("directory", type=pathlib.Path)
    arguments = parser.parse_args()
    if os.geteuid() != 0:
        sys.exit("build_packages.py must be run by root, for the tree that it builds on")
    if missing := [each for each in ("git", "mmdebstrap") if not shutil.which(each)]:
        sys.exit(f"build_packages.py needs what is not here: apt install {' '.join(missing)}")
    try:
        made = build(arguments.release, arguments.directory, not arguments.no_tests)
    except subprocess.CalledProcessError as error:
        sys.exit(f"build_packages.py: {error}")
    print(*sorted(made), sep="\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
