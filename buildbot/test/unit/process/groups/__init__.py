# SPDX-License-Identifier: GPL-2.0-only
"""New: tests of step groups."""
