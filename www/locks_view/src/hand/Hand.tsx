// SPDX-License-Identifier: GPL-2.0-only
import React, {createContext, ReactNode, useContext, useMemo, useState} from 'react';
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
  return (
    <HandContext.Provider value={acting}>
      <p role="status" className="bb-locks-done">
        {said}
      </p>
      {me === null && <LogIn address={login} />}
      {children}
      {deed !== null && (
        <DeedDialog
          deed={deed}
          closed={() => setDeed(null)}
          done={answer => {
            setDeed(null);
            setSaid(`${deed.verb} ${deed.object}: ${deed.done(answer)}`);
            changed();
          }}
          refused={changed}
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
