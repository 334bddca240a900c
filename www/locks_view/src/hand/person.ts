// SPDX-License-Identifier: GPL-2.0-only
import {getBaseUrl} from 'buildbot-data-js';
import {Config, ConfigContext} from 'buildbot-ui';
import {useContext} from 'react';
import {useLocation} from 'react-router-dom';

export interface Person {
  /** As the master calls who does something; null for one who can do nothing. */
  me: string | null;
  /** Where to log in; null if nobody can. */
  login: string | null;
}

/** Who looks at the page. Whether it is allowed what is done is the master's to say. */
export function usePerson(): Person {
  const config = useContext(ConfigContext);
  const {pathname, search} = useLocation();
  const back = encodeURIComponent(pathname + search);
  return {
    me: nameOf(config),
    login:
      config.auth.name === 'NoAuth'
        ? null
        : getBaseUrl(window.location, `auth/login?redirect=${back}`),
  };
}

function nameOf({user, handForAnonymous}: Config): string | null {
  if (user.anonymous) {
    return handForAnonymous === true ? 'anonymous' : null;
  }
  return user.email || user.username || user.full_name || null;
}
