# SPDX-License-Identifier: GPL-2.0-only
"""New: the messages that tell people about locks."""

from __future__ import annotations

from typing import Any
from typing import Callable

import jinja2
from twisted.internet import defer

from buildbot import config
from buildbot.locking.plain import lines_of
from buildbot.locking.plain import one_line
from buildbot.reporters.message import MessageFormatterBaseJinja

#: the events that people can be told of, and their words in a subject
EVENTS = {
    'hold': 'somebody wants to hold it',
    'held': 'it is held by hand',
    'aside': 'somebody lets others go first',
    'extend': 'a hold has a new end',
    'release': 'it was given back',
    'handover': 'a hold is another person\'s',
    'ends_soon': 'a hold ends soon',
    'overdue': 'a hold is overdue',
    'ended': 'a hold has ended',
    'first': 'somebody is first in line',
    'back': 'somebody has the old place in line again',
    'kick': 'its holder was ended',
    'quarantined': 'it is out of use',
    'restored': 'it is in use again',
    'long_wait': 'somebody has waited long for it',
    'long_hold': 'somebody has held it long',
    'circle': 'some waited for one another forever',
}

SUBJECT = '{{ copy }}: {{ words }} ({{ buildbot_title }})'

PLAIN = """\
{{ copy }}: {{ text }}.
{% if reason %}Reason: {{ reason }}
{% endif %}{% if until_at %}The hold is until {{ until_at }}.
{% endif %}
The locks: {{ url }}
"""

HTML = """\
<p><b>{{ copy }}</b>: {{ text }}.</p>
{% if reason %}<p>Reason: {{ reason }}</p>
{% endif %}{% if until_at %}<p>The hold is until {{ until_at }}.</p>
{% endif %}<p><a href="{{ url }}">The locks</a></p>
"""

TEMPLATES = {'plain': PLAIN, 'html': HTML}


class LockMessageFormatter(MessageFormatterBaseJinja):
    """Makes the message of one event about a lock. It does not send it.

    Templates are given ``copy``, ``lock``, ``action`` (a name of ``EVENTS``), its ``words``, the
    sentence ``text``, ``who``, ``reason``, ``person``, ``at``, ``until_at``, ``url``,
    ``buildbot_title``, ``buildbot_url``, and what ``ctx`` has. In HTML all of these are escaped.

    :param template: of the body, for Jinja.
    :param subject: template of the subject.
    :param template_type: ``plain`` or ``html``.
    :param extra_info_cb: like that of Buildbot's ``MessageFormatter``.
    :param kwargs: what each formatter of Buildbot takes, such as ``ctx``.
    :raises ConfigErrors: one of the arguments is not valid.
    """

    def __init__(
        self,
        template: str | None = None,
        subject: str | None = None,
        template_type: str = 'plain',
        extra_info_cb: Callable[[Any], Any] | None = None,
        **kwargs: Any,
    ) -> None:
        if template_type not in TEMPLATES:
            refuse(f"template_type must be 'plain' or 'html', not {template_type!r}")
        body = TEMPLATES[template_type] if template is None else template
        line = SUBJECT if subject is None else subject
        for name, text in (('template', body), ('subject', line)):
            if not isinstance(text, str):
                refuse(f'{name} must be a string, not {text!r}')
        try:
            super().__init__(body, line, template_type, extra_info_cb, **kwargs)
            # others have chosen the names, which may contain markup
            self.body_template = jinja2.Template(body, autoescape=template_type == 'html')
        except jinja2.TemplateSyntaxError as e:
            refuse(f'a template cannot be read: {e.message} (line {e.lineno} of it)')

    @defer.inlineCallbacks
    def format_message_for_lock(self, master: Any, action: dict[str, Any]) -> Any:
        """Make the message.

        :param action: the message ``lockactions.$actionid.$action``.
        :returns: Deferred of a dictionary with ``body``, ``subject``, ``type``, ``extra_info``.
        """
        url = master.config.buildbotURL
        # texts that others have chosen get no lines of their own; only a reason may have several
        texts = ('copy', 'text', 'who', 'person')
        context = {
            **action,
            **{name: one_line(action[name]) for name in texts if action.get(name)},
            'reason': lines_of(action['reason']),
            'words': EVENTS.get(action['action'], action['action']),
            'url': f'{url}#/locks',
            'buildbot_title': master.config.title,
            'buildbot_url': url,
        }
        return (yield self.render_message_dict(master, context))


def refuse(problem: str) -> None:
    raise config.ConfigErrors([f'LockMessageFormatter: {problem}'])
