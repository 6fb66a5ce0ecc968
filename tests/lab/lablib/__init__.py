# SPDX-License-Identifier: BSD-2-Clause
"""The laboratory: network namespaces, peers and a zddd of its own for each test."""
