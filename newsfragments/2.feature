Interlock lies over the Buildbot 4.3 release in the same virtual environment: ``pip install
buildbot-interlock`` and a restart switch it on, ``BUILDBOT_INTERLOCK=off`` switches it off,
uninstalling it leaves the release as it was, and a release it does not fit is refused by the name of
what has changed. ``python -m buildbot_overlay`` tells whether it is on and sound.
