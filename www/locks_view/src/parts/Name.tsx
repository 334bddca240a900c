// SPDX-License-Identifier: GPL-2.0-only
import React from 'react';
import {cut, shown} from '../text';

/** Longer words than this may be broken anywhere. */
const WORD = 24;

/** A name or a sentence that may hold anything: shown as text, cut, with the whole as its title. */
export function Name({text, most = 60}: {text: string; most?: number}) {
  const whole = shown(text);
  const short = cut(whole, most);
  const broken = short.split(' ').some(word => word.length > WORD);
  return (
    <bdi className={broken ? 'bb-locks-broken' : undefined} title={short === whole ? undefined : whole}>
      {short}
    </bdi>
  );
}
