#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Shows a consistency group's whole life on this machine, through the openstack client: installs
# into a virtual environment, starts cg-standalone on a free port with a fresh state directory,
# and stops it at the end. With --stay it is left running. Needs no root.
set -euo pipefail
cd "$(dirname "$0")/.."
# shellcheck source=tools/bootstrap.sh
. tools/bootstrap.sh

stay=
case "${1-}" in
"") ;;
--stay) stay=1 ;;
*) die "usage: tools/quickstart.sh [--stay]" ;;
esac

venv=$PWD/.venv/quickstart
state=
server=

finish() {
    local status=$?
    if [ "$status" != 0 ] && [ -f "$state/log" ]; then
        printf '\nFAILED; the end of the log of cg-standalone, all of it is in %s:\n' "$state/log" >&2
        tail -n 20 "$state/log" >&2
    fi
    if [ -n "$server" ]; then
        kill "$server" 2>/dev/null || true
        wait "$server" || status=$?
    fi
    [ "$status" != 0 ] || rm -rf "$state"
    exit "$status"
}

install() {
    say "Installing into $venv"
    make_venv "$venv"
    "$venv/bin/pip" install -q --constraint constraints.txt \
        --editable ".[reference]" python-openstackclient ||
        die "pip could not install the packages"
}

start() {
    state=$(mktemp -d "${TMPDIR:-/tmp}/cg-quickstart.XXXXXX")
    port=$("$venv/bin/python" -c '
import socket
with socket.socket() as probe:
    probe.bind(("127.0.0.1", 0))
    print(probe.getsockname()[1])')
    say "Starting cg-standalone on 127.0.0.1:$port, its state in $state"
    "$venv/bin/cg-standalone" --port "$port" --state-path "$state" >"$state/log" 2>&1 </dev/null &
    server=$!
    until (: <"/dev/tcp/127.0.0.1/$port") 2>/dev/null; do
        kill -0 "$server" 2>/dev/null || die "cg-standalone did not start"
        sleep 0.2
    done
    # The noauth strategy takes USER:PROJECT for a token.
    export OS_AUTH_TYPE=admin_token OS_TOKEN=ada:shop OS_ENDPOINT="http://127.0.0.1:$port/v3/shop"
}

# Runs an openstack command and shows it with its answer; $answer keeps that.
openstack() {
    printf "\n$ openstack%s\n" "$(printf " %q" "$@")"
    answer=$(quiet "$@") || die "the command above"
    [ -z "$answer" ] || printf '%s\n' "$answer"
}

quiet() { "$venv/bin/openstack" "$@"; }

# The value in the row of a table in $answer.
field() { awk -v name="$1" '$2 == name { print $4; exit }' <<<"$answer"; }

# Waits until a thing has a status: until_status available volume ID.
until_status() {
    local wanted=$1 status
    shift
    for _ in {1..60}; do
        status=$(quiet "${@:1:$#-1}" show -f value -c status "${@: -1}") || die "show $*"
        case "$status" in
        "$wanted") return ;;
        error*) die "$* went to $status" ;;
        esac
        sleep 0.5
    done
    die "$* is still $status and not $wanted"
}

# Waits until a thing is not found any more: until_gone volume ID.
until_gone() {
    local said
    for _ in {1..60}; do
        if ! said=$(quiet "${@:1:$#-1}" show "${@: -1}" 2>&1); then
            [[ $said == "No "*" found for "* ]] || die "$said"
            return
        fi
        sleep 0.5
    done
    die "$* is still there"
}

# Waits until a list is empty: until_none volume.
until_none() {
    local left
    for _ in {1..60}; do
        left=$(quiet "$@" list -f value -c ID) || die "$* list"
        [ -n "$left" ] || return 0
        sleep 0.5
    done
    die "still there of $*: $left"
}

path_of() { printf '%s/volumes/volume-%s' "$state" "$1"; }

# Writes text into a volume, at its start and at its end.
write() {
    printf 'writing "%s" into %s\n' "$2" "$(path_of "$1")"
    printf '%s' "$2" | dd of="$(path_of "$1")" conv=notrunc,fsync status=none
    printf '%s' "$2" | dd of="$(path_of "$1")" conv=notrunc,fsync status=none \
        oflag=seek_bytes seek=$((1024 * 1024 * 1024 - ${#2}))
}

# Compares all bytes of a volume with those of a copy.
compare() {
    cmp "$(path_of "$1")" "$2" || die "volume $1 does not hold what it should"
    printf 'volume %s holds, byte for byte: "%s…"\n' "$1" "$(head -c 40 "$2" | tr -d '\0')"
}

# The id of the volume whose field $1 is $2.
volume_with() {
    local id
    for id in $(quiet volume list -f value -c ID); do
        if [ "$(quiet volume show -f value -c "$1" "$id")" = "$2" ]; then
            echo "$id"
            return
        fi
    done
    die "no volume has $2 as its $1"
}

whole_life() {
    local data log group snapshot from_snapshot from_group volume copy

    say "A database with its tables on one volume and its log on another"
    openstack volume type create database
    openstack volume create --type database --size 1 tables
    data=$(field id)
    openstack volume create --type database --size 1 log
    log=$(field id)
    until_status available volume "$data"
    until_status available volume "$log"

    say "A consistency group of both"
    openstack consistency group create --volume-type database --description "the shop" shop
    group=$(field id)
    until_status available consistency group "$group"
    openstack consistency group add volume shop tables log
    until_status available consistency group "$group"
    write "$data" "table rows of monday"
    write "$log" "log of monday"
    for volume in "$data" "$log"; do
        cp --sparse=always "$(path_of "$volume")" "$state/$volume-of-monday"
    done

    say "A group snapshot; then the volumes are overwritten"
    openstack consistency group snapshot create --consistency-group shop monday
    snapshot=$(field id)
    until_status available consistency group snapshot "$snapshot"
    # Without both filters, openstacksdk 4.22 drops all rows of the answer.
    openstack consistency group snapshot list --long --consistency-group shop --status available
    [[ $answer == *"$snapshot"* ]] || die "the group snapshot is not listed"
    write "$data" "table rows of tuesday"
    write "$log" "log of tuesday"

    say "A new group from the snapshot, and one from the group as it is now"
    openstack consistency group create --snapshot monday shop-of-monday
    from_snapshot=$(field id)
    openstack consistency group create --source shop shop-of-tuesday
    from_group=$(field id)
    until_status available consistency group "$from_snapshot"
    until_status available consistency group "$from_group"
    openstack consistency group list --long
    openstack volume list --long
    openstack volume snapshot list

    say "Comparing the restored volumes' bytes"
    for volume in "$data" "$log"; do
        copy=$(quiet volume snapshot list --volume "$volume" -f value -c ID)
        compare "$(volume_with snapshot_id "$copy")" "$state/$volume-of-monday"
        compare "$(volume_with source_volid "$volume")" "$(path_of "$volume")"
    done

    say "Changing the group"
    openstack consistency group set --name web-shop --description "renamed" shop
    openstack consistency group remove volume web-shop "$log"
    until_status available consistency group "$group"
    openstack consistency group show web-shop
    [ "$(field name)" = web-shop ] || die "the group was not renamed"

    say "Deleting everything"
    openstack consistency group snapshot delete monday
    until_gone consistency group snapshot "$snapshot"
    openstack consistency group delete --force web-shop shop-of-monday shop-of-tuesday
    until_none consistency group
    # Taken out of the group, it was not deleted with it.
    openstack volume delete "$log"
    until_none volume
    openstack volume type delete database
    openstack consistency group list
    [ -z "$(ls -A "$state/volumes")" ] || die "files are left in $state/volumes"
}

trap finish EXIT
trap 'exit 130' INT TERM
install
start
whole_life

if [ -n "$stay" ]; then
    say "All as it should be. cg-standalone stays; talk to it from another terminal with"
    cat <<EOF
. $venv/bin/activate
export OS_AUTH_TYPE=admin_token OS_TOKEN=$OS_TOKEN OS_ENDPOINT=$OS_ENDPOINT
openstack volume create --size 1 first
openstack consistency group create --volume-type __DEFAULT__ mine
openstack consistency group add volume mine first

Volumes are files in $state/volumes, the log is $state/log. Ctrl-C stops it and removes both.
EOF
    # From here on, Ctrl-C is the way to end it well.
    trap 'exit 0' INT TERM
    wait "$server"
fi
say "All as it should be; cg-standalone is being stopped."
