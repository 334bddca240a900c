// SPDX-License-Identifier: GPL-2.0-only
import {getBaseUrl} from 'buildbot-data-js';
import {ConfigContext} from 'buildbot-ui';
import {useContext} from 'react';
import {useLocation} from 'react-router-dom';

export interface Person {
  /** Is shown what can be done; whether it is allowed is the master's to say. */
  mayAct: boolean;
  /** Where to log in; null if nobody can. */
  login: string | null;
}

/** Who looks at the page. */
export function usePerson(): Person {
  const {auth, user, handForAnonymous} = useContext(ConfigContext);
  const {pathname, search} = useLocation();
  const back = encodeURIComponent(pathname + search);
  return {
    mayAct: !user.anonymous || handForAnonymous === true,
    login:
      auth.name === 'NoAuth'
        ? null
        : getBaseUrl(window.location, `auth/login?redirect=${back}`),
  };
}
