# SPDX-License-Identifier: GPL-2.0-only
"""What people do with locks by the command and over HTTP: who may, and what is refused."""

from __future__ import annotations

import io
import json
import os
import re
from importlib.util import find_spec
from typing import Any
from unittest import mock

import treq
from parameterized import parameterized
from twisted.internet import defer
from twisted.internet import reactor
from twisted.web.client import Agent
from twisted.web.client import FileBodyProducer
from twisted.web.client import HTTPConnectionPool
from twisted.web.http_headers import Headers

from buildbot.clients.locks.api import Api
from buildbot.clients.locks.api import Credentials
from buildbot.clients.locks.command import run
from buildbot.plugins import util
from buildbot.process.results import CANCELLED
from buildbot.process.results import SUCCESS
from buildbot.scripts.base import SubcommandOptions
from buildbot.scripts.locks import LocksOptions
from buildbot.test.util.answering import Terminal
from buildbot.test.util.integration import RunMasterBase
from buildbot.test.util.lab import AwaitedGate
from buildbot.test.util.lab import GatedStep
from buildbot.test.util.lab import set_up
from buildbot.test.util.memorydb import forget_in_the_end
from buildbot.test.util.memorydb import use_known_database

JSON = 'application/json'
HOSTILE = '<img src=x>]\u202e \x1b[2J'
PASSWORDS = {name: f'pw of {name}' for name in ('ann', 'bob', 'eve', 'joe')}

# ann and joe are of the lab, bob may do all; eve may do nothing, but for what is her own
RULES = util.Authz(
    allowRules=[
        util.LockEndpointMatcher(action='release', role='owner', defaultDeny=False),
        util.LockEndpointMatcher(action='extend', role='owner', defaultDeny=False),
        util.LockEndpointMatcher(lock='jtag', action='hold', role='lab', defaultDeny=False),
        util.LockEndpointMatcher(lock='cham*', role='lab', defaultDeny=False),
        util.AnyControlEndpointMatcher(role='admins'),
    ],
    roleMatchers=[
        util.RolesFromOwner(role='owner'),
        util.RolesFromUsername(roles=['lab'], usernames=['ann', 'joe']),
        util.RolesFromUsername(roles=['admins', 'lab'], usernames=['bob']),
    ],
)


class HttpCase(RunMasterBase):
    """A master with two builders whose step takes the board of the worker."""

    if find_spec('buildbot_www') is None:
        skip = 'there is no buildbot-www'

    proto = 'null'

    @set_up
    def setUp(self) -> Any:
        forget_in_the_end(self)
        use_known_database(self)
        self.gate = AwaitedGate()
        jtag = util.WorkerLock('jtag')
        chamber = util.MasterLock('chamber')
        hostile = util.BranchLock(HOSTILE)

        def builder(name: str, **words: Any) -> Any:
            step = GatedStep(self.gate, name='flash', locks=[jtag.access('exclusive')])
            factory = util.BuildFactory([step])
            return util.BuilderConfig(name, workernames=['local1'], factory=factory, **words)

        yield self.setup_master(
            {
                'builders': [
                    builder('fw'),
                    builder('fw2'),
                    builder('soak', locks=[chamber.access('counting')]),
                    builder(HOSTILE[:10], locks=[hostile.access('counting')]),
                ],
                'multiMaster': True,
                'collapseRequests': False,
                'lateBinding': False,
                'www': {
                    'port': 'tcp:0:interface=127.0.0.1',
                    'auth': util.UserPasswordAuth(PASSWORDS),
                    'authz': RULES,
                },
            }
        )
        self.url = f'http://127.0.0.1:{self.master.www.getPortnum()}/'
        self.addCleanup(self.finish)
        kept = {k: v for k, v in os.environ.items() if not k.startswith('BUILDBOT_LOCKS')}
        patched = mock.patch.dict(os.environ, {**kept, 'COLUMNS': '200'}, clear=True)
        patched.start()
        self.addCleanup(patched.stop)
        self.patch(SubcommandOptions, 'loadOptionsFile', lambda _: {})

    @defer.inlineCallbacks
    def finish(self) -> Any:
        down = self.master.botmaster.cleanShutdown(quickMode=True, stopReactor=False)
        while self.gate.running:
            self.gate.open(SUCCESS)
        yield down

    @defer.inlineCallbacks
    def locks(self, who: str | None, *arguments: str) -> Any:
        """Run the command as a user, or as nobody.

        :returns: Deferred of what it writes, what else it says, and its status.
        """
        if who is not None:
            os.environ.update(BUILDBOT_LOCKS_USER=who, BUILDBOT_LOCKS_PASSWD=PASSWORDS[who])
        options = LocksOptions()
        options.parseOptions(['--master', self.url, *arguments])
        out, err = Terminal(), Terminal()
        status = yield defer.Deferred.fromCoroutine(run(reactor, options.subOptions, out, err))
        for name in ('BUILDBOT_LOCKS_USER', 'BUILDBOT_LOCKS_PASSWD'):
            os.environ.pop(name, None)
        return out.getvalue(), err.getvalue().replace(self.url, 'URL'), status

    @defer.inlineCallbacks
    def does(self, who: str, *arguments: str) -> Any:
        """Do something; return the line that says that it is done."""
        reason = [] if '--reason' in arguments else ['--reason', 'why not']
        out, err, status = yield self.locks(who, *arguments, '--yes', *reason)
        self.assertEqual((err, status), ('', 0))
        return out.rstrip('\n')

    @defer.inlineCallbacks
    def refused(self, who: str | None, *arguments: str) -> Any:
        """Try to do something; return the sentence that says that it is not done."""
        out, err, status = yield self.locks(who, *arguments, '--yes', '--reason', 'why not')
        self.assertEqual((out, status), ('', 1))
        return err.rstrip('\n').replace('buildbot locks: ', '')

    @defer.inlineCallbacks
    def reconfig(self, config: Any) -> Any:
        self.master.config_loader.config_dict = config
        yield self.master.doReconfig()

    @defer.inlineCallbacks
    def start(self, name: str) -> Any:
        """Ask for a build; return its number when its step has the board."""
        yield self.request(name)
        step = yield self.gate.arrivals.get()
        return step.build.number

    @defer.inlineCallbacks
    def request(self, name: str) -> Any:
        builderid = yield self.master.data.updates.findBuilderId(name)
        stamp = {'codebase': '', 'repository': '', 'project': '', 'branch': 'main'}
        _, brids = yield self.master.data.updates.addBuildset(
            waited_for=False,
            builderids=[builderid],
            sourcestamps=[{**stamp, 'revision': None}],
        )
        return brids[builderid]

    @defer.inlineCallbacks
    def row_of_board(self) -> Any:
        [lock] = [r for r in (yield self.master.data.get(('locks',))) if r['name'] == 'jtag']
        rows = yield self.master.data.get(('locks', lock['lockid'], 'copies'))
        return next((row for row in rows if row['worker'] == 'local1'), None)

    @defer.inlineCallbacks
    def cookie_of(self, who: str) -> Any:
        """Log in as a user; return the cookie that the master gives."""
        api: Any = Api(self.url, Credentials(who, PASSWORDS[who]), str, reactor)
        yield defer.Deferred.fromCoroutine(api.log_in())
        [cookie] = api._headers.getRawHeaders('cookie')
        return cookie

    @defer.inlineCallbacks
    def post(self, path: str, method: str, words: Any, cookie: str, **headers: str) -> Any:
        """Send a POST as a page in a browser would; return its status and what is answered."""
        call = {'jsonrpc': '2.0', 'method': method, 'params': words, 'id': 1}
        given = {'Content-Type': JSON, 'Cookie': cookie, **headers}
        agent = Agent(reactor, pool=HTTPConnectionPool(reactor, persistent=False))
        body = FileBodyProducer(io.BytesIO(json.dumps(call).encode()))
        response = yield agent.request(
            b'POST',
            f'{self.url}api/v2/{path}'.encode(),
            Headers({name: [value] for name, value in given.items()}),
            body,
        )
        return response.code, (yield treq.json_content(response))


class ByCommand(HttpCase):
    @defer.inlineCallbacks
    def test_hold(self) -> Any:
        """A person holds a free board, others see it, it is extended, handed over and released."""
        done = yield self.does('ann', 'hold', 'jtag[local1]', '--until', '2h', '--reason', 'desk')
        self.assertRegex(done, r'^jtag\[local1\]: yours until \d\d:\d\d( tomorrow)? \(hold \d+\)$')
        shown, _, _ = yield self.locks(None, 'show', 'jtag')
        self.assertRegex(shown, r'(?m)^  ann, by hand  holds .* exclusive +\d\d:\d\d.* desk$')
        self.assertRegex(
            shown, r'(?m)^  \d\d:\d\d  jtag\[local1\]  ann holds all of it until .*desk$'
        )
        done = yield self.does('ann', 'extend', 'jtag[local1]', '--until', '3h')
        self.assertRegex(done, r'^jtag\[local1\]: hold \d+ ends \d\d:\d\d')
        why = yield self.refused('ann', 'handover', 'jtag[local1]', 'nobody')
        self.assertEqual(why, "URL does not let this user do this: you need to have role 'admins'")
        yield self.does('ann', 'release', 'jtag[local1]')
        row = yield self.row_of_board()
        self.assertEqual((row['used'], row['version']), (0, '0-0-0'))

    @defer.inlineCallbacks
    def test_line(self) -> Any:
        """Who waits is let go first and back; who holds is stopped, and quarantine ends the use."""
        self.assertEqual((yield self.start('fw')), 1)
        for n in (1, 2):
            yield self.does('bob', 'hold', 'jtag[local1]', '--until', '2h', '--reason', f'b{n}')
        shown = json.loads((yield self.locks(None, 'show', 'jtag', '--json'))[0])
        one, two = [row['waiterid'] for row in shown['waiters']]
        done = yield self.does('bob', 'first', 'jtag[local1]', two)
        self.assertEqual(done, 'jtag[local1]: bob, by hand goes first')
        shown, _, _ = yield self.locks(None, 'show', 'jtag')
        self.assertRegex(shown, r'bob, by hand +place 1, moved to the front .*b2\n.*place 2 .*b1\n')
        yield self.does('bob', 'back', 'jtag[local1]', two)
        shown = json.loads((yield self.locks(None, 'show', 'jtag', '--json'))[0])
        self.assertEqual([row['waiterid'] for row in shown['waiters']], [one, two])
        done = yield self.does('bob', 'quarantine', 'jtag[local1]', '--reason', 'cable')
        self.assertEqual(done, 'jtag[local1]: in quarantine; nobody else gets it')
        finished: defer.DeferredQueue[Any] = defer.DeferredQueue()
        consumer = yield self.master.mq.startConsuming(
            lambda _, build: finished.put(build['results']), ('builds', None, 'finished')
        )
        done = yield self.does('bob', 'kick', 'jtag[local1]', 'fw #1')
        self.assertEqual(done, 'jtag[local1]: the build of fw #1 / flash is being stopped')
        self.assertEqual((yield finished.get()), CANCELLED)
        yield consumer.stopConsuming()
        shown, _, _ = yield self.locks(None, 'list')
        self.assertRegex(shown, r'(?m)^jtag .* 1$')
        shown, _, _ = yield self.locks(None, 'show', 'jtag')
        self.assertRegex(shown, r'in quarantine for \d+ s by bob \(cable\)')
        done = yield self.does('bob', 'restore', 'jtag[local1]')
        self.assertEqual(done, 'jtag[local1]: in use again')
        [holder] = yield self.master.data.get(
            ('copies', (yield self.row_of_board())['copyid'], 'holders')
        )
        self.assertEqual(holder['reason'], 'b1')

    @defer.inlineCallbacks
    def test_stale(self) -> Any:
        """What has changed since it was looked at is said, and nothing is done; twice is once."""
        yield self.start('fw')
        words: tuple[str, ...] = ('jtag[local1]', '--version', '0-0-0', '--reason', 'cable')
        self.assertEqual(
            (yield self.locks('bob', 'quarantine', *words)),
            (
                '',
                'buildbot locks: jtag[local1] has changed since you looked at it: fw #1 / flash'
                ' holds it now\n',
                1,
            ),
        )
        self.assertIsNone((yield self.row_of_board())['quarantined_at'])
        words = ('jtag[local1]', '--version', (yield self.row_of_board())['version'])
        for _ in range(2):
            _out, err, status = yield self.locks('bob', 'quarantine', *words, '--reason', 'cable')
            self.assertEqual((err, status), ('', 0))
        actions = json.loads((yield self.locks(None, 'show', 'jtag', '--json'))[0])['lockactions']
        self.assertEqual([row['action'] for row in actions], ['quarantined'])

    @parameterized.expand(
        [
            (
                'no_worker',
                ['restore', 'jtag[x]'],
                "lock 'jtag': there is no worker 'x', so it",
            ),
            (
                'end',
                ['hold', 'chamber', '--until', '2020-01-01 00:00'],
                'chamber: the end is in the',
            ),
            (
                'far',
                ['hold', 'chamber', '--until', '999d'],
                'chamber: the end is more ',
            ),
            ('units', ['hold', 'chamber', '--until', '1h', '--units', '2'], 'chamber: 2 units can'),
            ('no_hold', ['release', 'chamber', '--hold', '99'], 'chamber: there is no hold 99'),
            ('no_lock', ['restore', 'nix'], 'no lock has the name or id nix'),
        ]
    )
    @defer.inlineCallbacks
    def test_wrong(self, _: str, arguments: list[str], sentence: str) -> Any:
        """What cannot be done is said in the master's own sentence."""
        why = yield self.refused('bob', *arguments)
        self.assertEqual(why[: len(sentence)], sentence)
        self.assertNotIn('\n', why)

    @defer.inlineCallbacks
    def test_hostile(self) -> Any:
        """A lock and a branch may have any name, and a reason any words."""
        name = f'{HOSTILE}[{HOSTILE}]'
        arguments = ['quarantine', HOSTILE, '--branch', HOSTILE, '--reason', HOSTILE]
        done = yield self.does('bob', *arguments)
        self.assertTrue(done.isprintable())
        lock = next(r for r in (yield self.master.data.get(('locks',))) if r['name'] == HOSTILE)
        rows = yield self.master.data.get(('locks', lock['lockid'], 'copies'))
        self.assertEqual([(r['name'], r['quarantine_reason']) for r in rows], [(name, HOSTILE)])
        done = yield self.does('bob', 'restore', name)
        self.assertTrue(done.isprintable())
        shown, err, status = yield self.locks(None, 'show', HOSTILE)
        self.assertEqual((err, status), ('', 0))
        self.assertEqual([c for c in shown if c != '\n' and not c.isprintable()], [])

    @defer.inlineCallbacks
    def test_watch(self) -> Any:
        """What is done by hand is told to who watches the lock, as it is done."""
        options = LocksOptions()
        options.parseOptions(['--master', self.url, 'watch', 'jtag'])
        out, err = Terminal(), Terminal()
        d = defer.Deferred.fromCoroutine(run(reactor, options.subOptions, out, err))
        yield err.hear('watching; press Ctrl-C to stop\n')
        yield self.does('bob', 'quarantine', 'jtag[local1]', '--reason', 'cable')
        yield out.hear('quarantined  jtag[local1]: bob has taken it out of use (cable)\n')
        d.cancel()
        self.assertEqual((yield d), 0)


class WhoMay(HttpCase):
    @parameterized.expand(
        [
            ('anonymous', None, "a user who has not logged in (see --user)"),
            ('no_role', 'eve', 'this user'),
        ]
    )
    @defer.inlineCallbacks
    def test_nobody(self, _: str, who: str | None, name: str) -> Any:
        """Who has not the role may do nothing of it, and is told which role that is."""
        yield self.start('fw')
        for arguments in (
            ['hold', 'jtag[local1]', '--until', '1h'],
            ['kick', 'jtag[local1]'],
            ['quarantine', 'jtag[local1]'],
            ['restore', 'jtag[local1]'],
            ['release', 'jtag[local1]', '--hold', '1'],
        ):
            self.assertEqual(
                (yield self.refused(who, *arguments)),
                f"URL does not let {name} do this: you need to have role 'admins'",
            )
        row = yield self.row_of_board()
        self.assertEqual((row['waiting'], row['quarantined_at']), (0, None))

    @parameterized.expand([('no_rules', None), ('rules', RULES)])
    @defer.inlineCallbacks
    def test_anonymous(self, _: str, rules: Any) -> Any:
        """Without rules, too, nobody does anything who has not logged in, unless it is allowed."""
        config = self.master_config_dict
        config['www'] = {k: v for k, v in config['www'].items() if k != 'authz'}
        if rules is not None:
            config['www']['authz'] = util.Authz()
        yield self.reconfig(config)
        self.assertEqual(
            (yield self.refused(None, 'quarantine', 'jtag[local1]')),
            'URL does not let a user who has not logged in (see --user) do this: log in first: the'
            ' master keeps who did what with a lock',
        )
        yield self.does('eve', 'quarantine', 'jtag[local1]')
        config['handForAnonymous'] = True
        yield self.reconfig(config)
        _, err, status = yield self.locks(
            None, 'restore', 'jtag[local1]', '--yes', '--reason', 'open to all'
        )
        self.assertEqual((err, status), ('', 0))

    @defer.inlineCallbacks
    def test_by_lock_and_action(self) -> Any:
        """A rule is for a lock, by a pattern, and an action; the next rule is asked for others."""
        yield self.does('ann', 'hold', 'jtag[local1]', '--until', '1h')
        yield self.does('ann', 'quarantine', 'chamber')
        self.assertEqual(
            (yield self.refused('ann', 'quarantine', 'jtag[local1]')),
            "URL does not let this user do this: you need to have role 'admins'",
        )
        yield self.does('bob', 'quarantine', 'jtag[local1]')

    @parameterized.expand(
        [
            ('all_builders', None, 'admins', True),
            ('its_builder', 'f*', 'admins', True),
            ('other_builder', 'fw2', 'admins', False),
            ('its_owner', 'fw', 'owner', True),
        ]
    )
    @defer.inlineCallbacks
    def test_kick_stops(self, _: str, builder: str | None, role: str, is_refused: bool) -> Any:
        """A rule for stopping the builds of a builder is also for kicks that stop one of them."""
        yield self.start('fw')
        yield self.does('ann', 'hold', 'chamber', '--until', '1h', '--reason', 'desk')
        config = self.master_config_dict
        config['www']['authz'] = util.Authz(
            allowRules=[util.StopBuildEndpointMatcher(builder=builder, role=role)],
            roleMatchers=RULES.roleMatchers + RULES.ownerRoleMatchers,
        )
        yield self.reconfig(config)
        yield self.does('eve', 'kick', 'chamber')  # no build is stopped
        row = yield self.row_of_board()
        cookie = yield self.cookie_of('eve')
        copy = f'copies/{row["copyid"]}'
        [holder] = yield self.master.data.get(('copies', row['copyid'], 'holders'))
        words = {'reason': 'x', 'version': row['version'], 'holderid': holder['holderid']}
        if is_refused:
            lock, of_worker = f'locks/{row["lockid"]}', {**words, 'of': 'local1'}
            for path, given in ((copy, words), (lock, of_worker)):
                code, said = yield self.post(path, 'kick', given, cookie)
                text = f"you need to have role '{role}'"
                self.assertEqual((code, said['error']['message']), (403, text))
        else:
            code, _ = yield self.post(copy, 'kick', words, cookie)
            self.assertEqual(code, 200)

    @defer.inlineCallbacks
    def test_own(self) -> Any:
        """A person may end a hold of their own by a rule for owners, and no other person's."""
        yield self.does('bob', 'hold', 'jtag[local1]', '--until', '1h')
        [holder] = yield self.master.data.get(
            ('copies', (yield self.row_of_board())['copyid'], 'holders')
        )
        number = str(holder['holdid'])
        self.assertEqual(
            (yield self.refused('eve', 'release', 'jtag[local1]', '--hold', number)),
            "URL does not let this user do this: you need to have role 'admins'",
        )
        yield self.does('bob', 'handover', 'jtag[local1]', 'eve')
        yield self.does('eve', 'extend', 'jtag[local1]', '--until', '2h')
        self.assertEqual(
            (yield self.refused('bob', 'release', 'jtag[local1]', '--hold', number)),
            f'jtag[local1]: hold {number} belongs to eve; kick it to end it',
        )
        yield self.does('eve', 'release', 'jtag[local1]')
        self.assertEqual((yield self.row_of_board())['used'], 0)

    @defer.inlineCallbacks
    def test_token(self) -> Any:
        """The token of a log-in by a browser does as well as a password; a wrong one is nobody."""
        cookie = yield self.cookie_of('bob')
        [token, *_] = re.findall('TWISTED_SESSION=([^;]+)', cookie)[::-1]
        os.environ['BUILDBOT_LOCKS_TOKEN'] = token
        _out, err, status = yield self.locks(
            None, 'quarantine', 'jtag[local1]', '--yes', '--reason', 'cable'
        )
        self.assertEqual((err, status), ('', 0))
        self.assertEqual((yield self.row_of_board())['quarantined_by'], 'bob')
        os.environ['BUILDBOT_LOCKS_TOKEN'] = f'{token[:-9]}AAAAAAAAA'
        self.assertEqual(
            (yield self.refused(None, 'restore', 'jtag[local1]')),
            "URL does not let this user do this: you need to have role 'admins'",
        )


class CrossSite(HttpCase):
    """Our control endpoints are protected as Buildbot's are."""

    @parameterized.expand(
        [
            ('form', {'Content-Type': 'application/x-www-form-urlencoded'}, 400),
            ('text', {'Content-Type': 'text/plain'}, 400),
            ('foreign', {'Origin': 'http://evil.example.org'}, 400),
            ('null', {'Origin': 'null'}, 400),
            ('no_session', {'Cookie': ''}, 403),
            ('own', {}, 200),
        ]
    )
    @defer.inlineCallbacks
    def test_post(self, _: str, headers: dict[str, str], code: int) -> Any:
        """What is refused at a build's own endpoint is refused at those of locks and copies."""
        yield self.start('fw')
        cookie = yield self.cookie_of('bob')
        row = yield self.row_of_board()
        words = {'reason': 'cable', 'version': row['version']}
        ours = yield self.post(f'copies/{row["copyid"]}', 'quarantine', words, cookie, **headers)
        words['of'] = 'local1'
        also = yield self.post(f'locks/{row["lockid"]}', 'quarantine', words, cookie, **headers)
        stop = yield self.post('builds/1', 'stop', {'reason': 'x'}, cookie, **headers)
        self.assertEqual((ours[0], also[0], stop[0]), (code, code, code))
        if code != 200:
            self.assertEqual((ours[1], also[1]), (stop[1], stop[1]))
        row = yield self.row_of_board()
        self.assertEqual(row['quarantined_by'], 'bob' if code == 200 else None)

    @parameterized.expand(['build-\u00b2', f'build-{10**30}', 'step-7', 7, ['build-1'], None])
    @defer.inlineCallbacks
    def test_odd_id(self, holderid: Any) -> Any:
        """Who asks for what there is not is told so, also where a rule asks whose it is."""
        yield self.start('fw')
        cookie = yield self.cookie_of('bob')
        row = yield self.row_of_board()
        words = {'reason': 'x', 'version': row['version'], 'holderid': holderid}
        code, said = yield self.post(f'copies/{row["copyid"]}', 'kick', words, cookie)
        self.assertEqual(code, 400)
        self.assertEqual(
            said['error']['message'], f'jtag[local1]: {holderid!r} does not hold it now'
        )

    @defer.inlineCallbacks
    def test_get(self) -> Any:
        """Nothing is done by a GET, whatever stands in the address."""
        yield self.start('fw')
        row = yield self.row_of_board()
        agent = Agent(reactor, pool=HTTPConnectionPool(reactor, persistent=False))
        query = 'method=quarantine&reason=x&version=0-0-0'
        at = f'{self.url}api/v2/copies/{row["copyid"]}?{query}'
        response = yield agent.request(b'GET', at.encode())
        yield treq.content(response)
        self.assertEqual(response.code, 400)
        self.assertIsNone((yield self.row_of_board())['quarantined_at'])
