# SPDX-License-Identifier: Apache-2.0
"""Carries out durable operations: claims them, calls drivers, records results, recovers.

``process`` puts the parts of one process together; ``backend`` serves one backend; ``runner``
takes one operation to its end; ``executors`` knows what each kind means.
"""
