# SPDX-License-Identifier: GPL-2.0-only
from buildbot_overlay import extend

extend(__name__)
