# SPDX-License-Identifier: Apache-2.0
"""A whole deployment of plain processes on this machine, for tests and for trying it by hand.

``deployment`` puts it together; ``servers`` has databases and brokers that can be crashed;
``client`` speaks to the API as a load balancer's client would.
"""
