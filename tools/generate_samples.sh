#!/bin/sh
# Writes the sample files of etc/cg_extension anew, from the options and rules in the code.
set -eu
cd "$(dirname "$0")/.."
oslo-config-generator --config-file etc/cg_extension/config-generator.conf
oslopolicy-sample-generator --config-file etc/cg_extension/policy-generator.conf
