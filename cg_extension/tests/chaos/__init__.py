# SPDX-License-Identifier: Apache-2.0
"""Random client calls against a deployment whose processes and servers fail, and then an audit.

``python -m cg_extension.tests.chaos.run --seeds 1-20 --seconds 60`` runs it; a part of it is a
functional test. Choices come from the seed; what the machine's timing makes of them does not.
"""
