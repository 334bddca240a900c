// SPDX-License-Identifier: GPL-2.0-only
import React, {createContext, ReactNode, useContext, useMemo, useRef, useState} from 'react';
import {Deed} from './deed';
import {DeedDialog} from './DeedDialog';
import {usePerson} from './person';

interface Acting {
  /** Who acts, as the master calls this person; null for one who can do nothing. */
  me: string | null;
  open(deed: Deed): void;
}

const HandContext = createContext<Acting>({me: null, open: () => undefined});

export function useHand(): Acting {
  return useContext(HandContext);
}

interface Props {
  /** What is on the page is not true any more. */
  changed(): void;
  children: ReactNode;
}

/**
 * A page on which things can be done: one dialog at a time, which stays whatever becomes of the row
 * in which it was opened.
 */
export function Hand({changed, children}: Props) {
  const {me, login} = usePerson();
  const [deed, setDeed] = useState<Deed | null>(null);
  const [said, setSaid] = useState('');
  const [failed, setFailed] = useState(false);
  const current = useRef<Deed | null>(null);
  current.current = deed;
  const acting = useMemo(
    () => ({
      me,
      open: (deed: Deed) => {
        setSaid('');
        setDeed(deed);
      },
    }),
    [me],
  );
  function say(of: Deed, sentence: string, isFailure: boolean) {
    setSaid(`${of.verb} ${of.object}: ${sentence}`);
    setFailed(isFailure);
  }
  return (
    <HandContext.Provider value={acting}>
      <p role="status" className={failed ? 'bb-locks-failure' : 'bb-locks-done'}>
        {said}
      </p>
      {me === null && <LogIn address={login} />}
      {children}
      {deed !== null && (
        <DeedDialog
          deed={deed}
          closed={() => setDeed(null)}
          done={answer => {
            // its dialog may have been closed meanwhile, and another one be open
            setDeed(open => (open === deed ? null : open));
            say(deed, deed.done(answer), false);
            changed();
          }}
          refused={sentence => {
            if (current.current !== deed) {
              say(deed, sentence, true);
            }
            changed();
          }}
        />
      )}
    </HandContext.Provider>
  );
}

function LogIn({address}: {address: string | null}) {
  return (
    <p className="bb-locks-faint">
      {address === null ? (
        'Nobody can log in to this master, so nothing can be done by hand here.'
      ) : (
        <>
          <a href={address}>Log in</a> to hold a lock, to let somebody go first or to take a copy out of
          use.
        </>
      )}
    </p>
  );
}
