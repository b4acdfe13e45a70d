# SPDX-License-Identifier: Apache-2.0
"""The reference host: a small block storage service that the extension is loaded into.

``wsgi`` is its API, ``service`` accepts requests, ``manager`` carries them out, ``db`` keeps both.
"""
