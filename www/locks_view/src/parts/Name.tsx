// SPDX-License-Identifier: GPL-2.0-only
import React from 'react';
import {cut, shown} from '../text';

/** A name or a sentence that may hold anything: shown as text, cut, with the whole as its title. */
export function Name({text, most = 60}: {text: string; most?: number}) {
  const whole = shown(text);
  const short = cut(whole, most);
  return <bdi title={short === whole ? undefined : whole}>{short}</bdi>;
}
