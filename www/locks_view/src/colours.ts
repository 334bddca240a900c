// SPDX-License-Identifier: GPL-2.0-only
// Buildbot's page is light; these pages are what the browser asks for, or what is set.
import {buildbotGetSettings} from 'buildbot-plugin-support';
import {useEffect, useState} from 'react';

export const COLOURS = ['as the browser asks', 'light', 'dark'];

const QUERY = '(prefers-color-scheme: dark)';

export function useColours() {
  const set = buildbotGetSettings().getChoiceComboSetting('Locks.colours');
  const [asked, setAsked] = useState(() => window.matchMedia(QUERY).matches);
  useEffect(() => {
    const media = window.matchMedia(QUERY);
    const listen = () => setAsked(media.matches);
    media.addEventListener('change', listen);
    return () => media.removeEventListener('change', listen);
  }, []);
  const dark = set === 'dark' || (set !== 'light' && asked);
  useEffect(() => {
    const {classList} = document.documentElement;
    classList.toggle('bb-locks-dark', dark);
    return () => classList.remove('bb-locks-dark');
  }, [dark]);
}
