# SPDX-License-Identifier: GPL-2.0-only
import warnings

from buildbot_overlay import extend
from buildbot_overlay import extend_below

extend(__name__)

# Buildbot turns warnings into errors. These come from libraries that are newer than it is.
for message in (
    'No path_separator found in configuration',
    'twisted.internet.ssl.ProtocolNegotiationSupport was deprecated',
):
    warnings.filterwarnings('ignore', message, DeprecationWarning)

extend_below(__name__)
