# SPDX-License-Identifier: Apache-2.0
"""The extension's HTTP side: JSON and policy here, state and storage behind the service seam.

``routes`` has every path of both collections; from there the collection's name leads through
controller, schemas, views and policies. A host mounts the descriptors of ``extensions``.
"""
