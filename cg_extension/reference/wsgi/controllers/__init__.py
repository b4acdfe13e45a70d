# SPDX-License-Identifier: Apache-2.0
"""Controllers of the host's own resources, one module each; ``wsgi.routes`` has their paths."""
