# SPDX-License-Identifier: Apache-2.0
"""Tables, migrations and queries; talks rows, knows no HTTP and no driver."""
