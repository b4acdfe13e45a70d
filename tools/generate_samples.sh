#!/bin/sh
# Writes anew what is made from the code: the sample files of etc/cg_extension from options and rules,
# the OpenAPI document from routes and schemas.
set -eu
cd "$(dirname "$0")/.."
oslo-config-generator --config-file etc/cg_extension/config-generator.conf
oslopolicy-sample-generator --config-file etc/cg_extension/policy-generator.conf
python -m cg_extension.reference.wsgi.openapi > api-ref/openapi.json
