# SPDX-License-Identifier: Apache-2.0
"""The reference host: what consistency groups need around them, in the shape of Cinder's API.

Holds the pipeline, the routes, the extension manager and the controllers of volumes, types,
snapshots, quotas and services. The groups themselves are an extension (``api``) like any other.
"""
