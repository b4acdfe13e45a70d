# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
# What quickstart.sh and run_tests.sh share: a Python, system packages, virtual environments.

say() { printf '\n== %s\n' "$*"; }

die() {
    printf '\nFAILED: %s\n' "$*" >&2
    exit 1
}

# Prints the path of a Python that is new enough; $PYTHON names one, if set.
find_python() {
    local candidate
    for candidate in ${PYTHON:-python3.11 python3}; do
        if "$candidate" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
            command -v "$candidate"
            return
        fi
    done
    die "Python 3.11 or newer is needed; PYTHON=/path/to/python tells where it is."
}

# Installs Debian packages, as root or by sudo.
apt_install() {
    local -a as_root=()
    command -v apt-get >/dev/null || die "please install, in your system's way: $*"
    if [ "$(id -u)" != 0 ]; then
        sudo -n true 2>/dev/null || die "please run: sudo apt-get install $*"
        as_root=(sudo -n)
    fi
    say "Installing system packages: $*"
    "${as_root[@]}" apt-get update -qq || echo "apt-get update failed; trying all the same" >&2
    "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq \
        --no-install-recommends "$@" || die "could not install $*"
}

# Makes the virtual environment $1, unless it is there. Debian keeps what that needs in a package
# of its own.
make_venv() {
    local python
    python=$(find_python) || exit 1
    if ! [ -x "$1/bin/pip" ]; then
        "$python" -c 'import ensurepip, venv' 2>/dev/null || apt_install python3-venv
        "$python" -m venv --clear "$1" || die "could not make a virtual environment in $1"
    fi
}
